package gormhook

import (
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// record makes the recorder of the hook's database. It becomes the default if
// there is none, or one whose database was closed, as in tests that open one each.
func (h *hook) record() error {
	st, err := store.New(h.db)
	if err != nil {
		return err
	}
	h.recorder = st
	if before, ok := trail.Default().(*store.Store); ok && before.Closed() {
		trail.SetDefault(st)
		return nil
	}
	trail.SetDefaultIfUnset(st)
	return nil
}
