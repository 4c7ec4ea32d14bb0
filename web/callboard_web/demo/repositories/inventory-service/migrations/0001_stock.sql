-- 分仓库存 Stock per warehouse
create table stock (
    sku varchar(64) not null,
    warehouse varchar(32) not null,
    available integer not null check (available >= 0),
    reserved integer not null default 0,
    primary key (sku, warehouse)
);

-- 预占 Reservations
create table reservation (
    id varchar(36) primary key,
    order_id varchar(64) not null,
    sku varchar(64) not null,
    quantity integer not null check (quantity > 0),
    expires_at timestamp with time zone not null
);

create index reservation_expires_at on reservation (expires_at);
