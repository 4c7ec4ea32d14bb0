package com.yunhebank.order;

import java.time.Clock;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** 下单、支付回写与关闭，每次状态变更发布一条事件。 */
@Service
public class OrderService {

    private final OrderRepository orders;
    private final InventoryClient inventory;
    private final PaymentClient payments;
    private final OrderEvents events;
    private final Clock clock;

    public OrderService(
            OrderRepository orders, InventoryClient inventory, PaymentClient payments,
            OrderEvents events, Clock clock) {
        this.orders = orders;
        this.inventory = inventory;
        this.payments = payments;
        this.events = events;
        this.clock = clock;
    }

    @Transactional
    public Order place(NewOrder request) {
        Order order = orders.add(request.toOrder(clock.instant()));
        inventory.reserve(order.orderId(), order.lines());
        Order reserved = save(order, OrderStatus.RESERVED);
        payments.start(reserved.orderId(), reserved.amount());
        return reserved;
    }

    @Transactional
    public Order paid(String orderId) {
        return save(orders.get(orderId), OrderStatus.PAID);
    }

    @Transactional
    public Order cancel(String orderId) {
        Order closed = save(orders.get(orderId), OrderStatus.CLOSED);
        inventory.release(orderId);
        return closed;
    }

    @Transactional
    public void closeOverdue() {
        orders.reserved().stream()
                .filter(order -> order.isOverdue(clock.instant()))
                .forEach(order -> cancel(order.orderId()));
    }

    private Order save(Order order, OrderStatus status) {
        Order changed = orders.update(order.become(status));
        events.changed(order.status(), changed);
        return changed;
    }
}
