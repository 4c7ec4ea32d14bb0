package com.yunhebank.order;

public record OrderLine(String sku, int quantity, long unitPrice) {

    public OrderLine {
        if (quantity < 1) {
            throw new IllegalArgumentException("数量必须大于零: " + sku);
        }
    }

    public long amount() {
        return quantity * unitPrice;
    }
}
