package rules

// Discount gives the price in fen after the best rule for a customer level.
func Discount(level string, amount int64) int64 {
	best := amount
	for _, rule := range byLevel[level] {
		if price := rule.apply(amount); price < best {
			best = price
		}
	}
	return best
}

func (r rule) apply(amount int64) int64 {
	if amount < r.minimum {
		return amount
	}
	return amount - amount*r.basisPoints/10000
}
