package com.yunhebank.smsadapter;

import java.util.List;

/** 按号段选择运营商，失败时轮换。 */
public class CarrierSelector {

    private final List<Carrier> carriers;

    public CarrierSelector(List<Carrier> carriers) {
        this.carriers = carriers;
    }

    public Carrier select(String mobile, int attempt) {
        List<Carrier> suitable = carriers.stream().filter(carrier -> carrier.serves(mobile)).toList();
        return suitable.get(attempt % suitable.size());
    }
}
