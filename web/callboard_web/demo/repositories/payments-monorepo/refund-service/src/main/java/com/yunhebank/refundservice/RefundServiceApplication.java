package com.yunhebank.refundservice;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 退款服务。 */
@SpringBootApplication
public class RefundServiceApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(RefundServiceApplication.class, arguments);
    }
}
