package com.yunhebank.ledgerservice;

import java.time.LocalDate;
import java.util.List;

/** 一笔记账；借贷必须平衡。 */
public record Posting(String postingId, LocalDate businessDate, List<Entry> entries) {

    public Posting {
        if (entries.stream().mapToLong(Entry::signedAmount).sum() != 0) {
            throw new IllegalArgumentException("借贷不平: " + postingId);
        }
    }

    public Posting reversed(String identifier, LocalDate date) {
        return new Posting(identifier, date, entries.stream().map(Entry::opposite).toList());
    }
}
