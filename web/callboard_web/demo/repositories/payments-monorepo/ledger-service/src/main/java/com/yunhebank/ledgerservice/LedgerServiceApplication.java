package com.yunhebank.ledgerservice;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 总账服务。 */
@SpringBootApplication
public class LedgerServiceApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(LedgerServiceApplication.class, arguments);
    }
}
