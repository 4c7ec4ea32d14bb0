package limit

import (
	"sync"
	"time"
)

// Bucket lets a steady rate of calls through, with a burst.
type Bucket struct {
	mutex  sync.Mutex
	tokens float64
	burst  float64
	rate   float64
	last   time.Time
}

// Allow takes one token; false means the caller is over its limit.
func (b *Bucket) Allow(now time.Time) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.tokens = min(b.burst, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
