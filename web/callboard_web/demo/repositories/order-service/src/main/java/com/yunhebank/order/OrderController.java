package com.yunhebank.order;

import org.springframework.web.bind.annotation.*;

@RestController
@RequestMapping("/v2/orders")
public class OrderController {

    private final OrderService service;

    public OrderController(OrderService service) {
        this.service = service;
    }

    @PostMapping
    public Order place(@RequestBody NewOrder request) {
        return service.place(request);
    }

    @PostMapping("/{orderId}/cancellation")
    public Order cancel(@PathVariable String orderId) {
        return service.cancel(orderId);
    }
}
