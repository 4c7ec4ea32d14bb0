package com.yunhebank.order;

import java.util.EnumSet;
import java.util.Set;

/** 订单状态与允许的流转。 */
public enum OrderStatus {
    CREATED, RESERVED, PAID, DISPATCHED, CLOSED;

    public Set<OrderStatus> next() {
        return switch (this) {
            case CREATED -> EnumSet.of(RESERVED, CLOSED);
            case RESERVED -> EnumSet.of(PAID, CLOSED);
            case PAID -> EnumSet.of(DISPATCHED, CLOSED);
            case DISPATCHED -> EnumSet.of(CLOSED);
            case CLOSED -> EnumSet.noneOf(OrderStatus.class);
        };
    }

    public boolean canBecome(OrderStatus target) {
        return next().contains(target);
    }
}
