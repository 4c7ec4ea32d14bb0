package com.yunhebank.productservice;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** 商品服务。 */
@SpringBootApplication
public class ProductServiceApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(ProductServiceApplication.class, arguments);
    }
}
