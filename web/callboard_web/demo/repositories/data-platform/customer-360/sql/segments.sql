-- 高价值客户 High-value customers
insert overwrite segment_high_value
select customer_id, sum(amount) / 100 as yuan
from lake_payments
where business_date >= date_sub(current_date, 90)
group by customer_id
having sum(amount) >= 5000000;

-- 沉睡客户 Dormant customers
insert overwrite segment_dormant
select customer_id
from lake_logins
group by customer_id
having max(business_date) < date_sub(current_date, 180);
