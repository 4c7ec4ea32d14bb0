package stock

import (
	"context"
	"errors"
	"time"
)

// ErrInsufficient 表示可用库存不足。
var ErrInsufficient = errors.New("库存不足 insufficient stock")

// Reservation holds stock for an order until it is paid or expires.
type Reservation struct {
	ID        string
	OrderID   string
	SKU       string
	Quantity  int
	ExpiresAt time.Time
}

// Reserve takes stock from the nearest warehouse that has enough of it.
func (s *Store) Reserve(ctx context.Context, orderID, sku string, quantity int) (Reservation, error) {
	for _, warehouse := range s.nearest(ctx, sku) {
		if warehouse.Available >= quantity {
			return s.take(ctx, warehouse, orderID, sku, quantity)
		}
	}
	return Reservation{}, ErrInsufficient
}

// Release gives the stock back; releasing twice is harmless.
func (s *Store) Release(ctx context.Context, id string) error {
	_, err := s.database.ExecContext(ctx, releaseStatement, id)
	return err
}

// Expire releases what was not paid in time and gives the number of reservations released.
func (s *Store) Expire(ctx context.Context, now time.Time) (int64, error) {
	result, err := s.database.ExecContext(ctx, expireStatement, now)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
