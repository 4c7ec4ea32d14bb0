package com.yunhebank.order;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class OrderStatusTest {

    @Test
    void aReservedOrderCanBePaid() {
        assertTrue(OrderStatus.RESERVED.canBecome(OrderStatus.PAID));
    }

    @Test
    void aClosedOrderStaysClosed() {
        assertFalse(OrderStatus.CLOSED.canBecome(OrderStatus.PAID));
    }
}
