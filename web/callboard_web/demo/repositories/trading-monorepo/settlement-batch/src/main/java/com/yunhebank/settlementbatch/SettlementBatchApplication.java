package com.yunhebank.settlementbatch;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 日终清分。 */
@SpringBootApplication
public class SettlementBatchApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(SettlementBatchApplication.class, arguments);
    }
}
