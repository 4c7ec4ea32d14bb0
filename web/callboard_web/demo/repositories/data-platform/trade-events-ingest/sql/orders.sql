-- 订单事件入湖 Order events into the lake
create table order_events (
    orderId string,
    status string,
    occurredAt timestamp_ltz(3),
    watermark for occurredAt as occurredAt - interval '30' second
) with (
    'connector' = 'kafka',
    'topic' = 'order.events.v2',
    'format' = 'json'
);

create table lake_order_events (
    orderId string,
    status string,
    occurredAt timestamp_ltz(3),
    business_date date
) partitioned by (business_date) with (
    'connector' = 'paimon',
    'path' = 's3://bucket-lake/order_events'
);

insert into lake_order_events
select orderId, status, occurredAt, cast(occurredAt as date)
from order_events;
