package com.yunhebank.paymentgateway;

import java.util.Comparator;
import java.util.List;

/** 选择可用且成本最低的渠道。 */
public class ChannelRouter {

    private final List<Channel> channels;

    public ChannelRouter(List<Channel> channels) {
        this.channels = channels;
    }

    public Channel route(Submission submission) {
        return channels.stream()
                .filter(channel -> channel.accepts(submission))
                .filter(Channel::isHealthy)
                .min(Comparator.comparingLong(channel -> channel.fee(submission)))
                .orElseThrow(() -> new NoChannelException(submission.paymentId()));
    }
}
