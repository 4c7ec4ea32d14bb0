package com.yunhebank.order;

import java.time.Instant;
import java.util.List;

/** 一张订单；金额以分为单位。 */
public record Order(
        String orderId, String customerId, OrderStatus status, List<OrderLine> lines, Instant createdAt) {

    public long amount() {
        return lines.stream().mapToLong(OrderLine::amount).sum();
    }

    public Order become(OrderStatus target) {
        if (!status.canBecome(target)) {
            throw new IllegalStateException("订单 " + orderId + " 不能从 " + status + " 变为 " + target);
        }
        return new Order(orderId, customerId, target, lines, createdAt);
    }

    public boolean isOverdue(Instant now) {
        return status == OrderStatus.RESERVED && createdAt.plusSeconds(1800).isBefore(now);
    }
}
