package gormhook

import "sync"

// memo caches what was made of the texts of statements, which recur. Both the
// number and the size of what it keeps are bounded; when full it starts over.
type memo[K comparable, V any] struct {
	mu   sync.RWMutex
	made map[K]V
	size int // in bytes
}

const (
	maxMemo     = 1024
	maxMemoSize = 16 << 20
)

// get returns what was made for key, or makes it; make returns the bytes that it
// takes, besides what all have in common.
func (m *memo[K, V]) get(key K, make func() (V, int)) V {
	m.mu.RLock()
	v, ok := m.made[key]
	m.mu.RUnlock()
	if ok {
		return v
	}
	v, size := make()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || len(m.made) >= maxMemo || m.size+size > maxMemoSize {
		m.made, m.size = map[K]V{}, 0
	}
	m.made[key] = v
	m.size += size
	return v
}
