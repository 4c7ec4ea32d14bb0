package com.yunhebank.paymentgateway;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 支付网关。 */
@SpringBootApplication
public class PaymentGatewayApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(PaymentGatewayApplication.class, arguments);
    }
}
