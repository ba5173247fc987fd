package gormhook

import "sync"

// memo remembers what was worked out once, by a name or by the text of a
// statement. Both the number and the size of what it keeps are bounded, for an
// application may make up names and texts as it goes; it starts anew where it is
// full. The zero value is ready.
type memo[K comparable, V any] struct {
	mu   sync.RWMutex
	made map[K]V
	size int // in bytes
}

const (
	maxMemo     = 4096
	maxMemoSize = 16 << 20
)

func (m *memo[K, V]) load(key K) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.made[key]
	return v, ok
}

// keep remembers a value, of so many bytes beside what all have in common.
func (m *memo[K, V]) keep(key K, v V, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || len(m.made) >= maxMemo || m.size+size > maxMemoSize {
		m.made, m.size = map[K]V{}, 0
	}
	m.made[key] = v
	m.size += size
}

func (m *memo[K, V]) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made, m.size = nil, 0
}
