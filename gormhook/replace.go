package gormhook

import (
	"errors"
	"strings"
)

// errReplaces says that an update of SQLite, which was taken back, would delete
// the rows that are in its way. Nobody can read these ahead: what they conflict
// with is known only once it is there.
var errReplaces = errors.New("the update replaces other rows")

// updateAlone is update where a key of the table has ON CONFLICT REPLACE. As
// long as no row is in the way, OR ABORT makes no difference.
func (w *writer) updateAlone() (changes []change, rows *collected, err error) {
	l := newLexer(w.parsed.body, w.hook.dialect)
	verb := l.next()
	alone := *w.parsed // it is shared
	alone.abort = true
	alone.body = updateWord(&alone) + alone.body[verb.end:]
	w.parsed = &alone
	intact, err := savepoint(w.ctx, w.pool, func() error {
		changes, rows, err = w.update()
		return err
	})
	if err != nil && intact && strings.Contains(err.Error(), "constraint failed") {
		return nil, nil, errReplaces
	}
	return changes, rows, err
}

// updateWord is how an update begins.
func updateWord(p *parsed) string {
	if p.abort {
		return `UPDATE OR ABORT `
	}
	return `UPDATE `
}
