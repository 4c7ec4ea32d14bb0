package com.yunhebank.reconservice;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 对账服务。 */
@SpringBootApplication
public class ReconServiceApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(ReconServiceApplication.class, arguments);
    }
}
