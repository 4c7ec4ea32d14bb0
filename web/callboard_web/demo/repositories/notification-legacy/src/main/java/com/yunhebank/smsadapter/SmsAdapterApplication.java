package com.yunhebank.smsadapter;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 短信通道适配。 */
@SpringBootApplication
public class SmsAdapterApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(SmsAdapterApplication.class, arguments);
    }
}
