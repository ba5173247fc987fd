package gormhook

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// GORM does not expose the order of its callbacks. The code below reads it,
// without changing anything, so that the plugin can refuse an order in which
// its entries would be written in another transaction than the change.

// ordered checks that GORM runs a callback between the begin and the commit of
// the implicit transaction, if there is one.
func ordered(p processor, name string) error {
	order, err := orderOf(p)
	if err != nil {
		return err
	}
	begin, at, commit := order[beginName], order[name], order[commitName]
	switch {
	case at == 0:
		return fmt.Errorf("gormhook: GORM's callback %s is not registered", name)
	case begin > at || commit > 0 && commit < at:
		return fmt.Errorf("gormhook: %s does not run between %s and %s: entries would not be in the change's transaction",
			name, beginName, commitName)
	default:
		return nil
	}
}

// orderOf returns the position of each callback, from 1, as GORM runs them.
func orderOf(p processor) (map[string]int, error) {
	v := reflect.Indirect(reflect.ValueOf(p))
	fns, cbs := v.FieldByName("fns"), v.FieldByName("callbacks")
	if fns.Kind() != reflect.Slice || cbs.Kind() != reflect.Slice {
		return nil, fmt.Errorf("gormhook: unsupported GORM version: callbacks are not laid out as in v1.31: %T", p)
	}
	place := make(map[uintptr]int, fns.Len())
	for i := range fns.Len() {
		place[fns.Index(i).Pointer()] = i + 1
	}
	order := make(map[string]int, cbs.Len())
	for i := range cbs.Len() {
		c := cbs.Index(i).Elem()
		if at, ok := place[c.FieldByName("handler").Pointer()]; ok {
			order[c.FieldByName("name").String()] = at
		}
	}
	return order, nil
}

// foreign reports whether others have registered callbacks: those may rely on
// the implicit transaction. It is asked for each statement, so it looks again
// only when their number has changed.
type foreign struct {
	mu    sync.RWMutex
	known map[processor]foreigners
}

type foreigners struct {
	callbacks int
	any       bool
}

// harmless are the packages whose callbacks are GORM's own, or only observe, or
// choose the connection. A name may be anybody's, that of GORM's package not.
var harmless = []string{
	"gorm.io/gorm/callbacks.", "github.com/infrakitchen/audit/gormhook.",
	"gorm.io/plugin/dbresolver.", "gorm.io/plugin/opentelemetry/", "gorm.io/plugin/opentracing.", "gorm.io/plugin/prometheus.",
	"github.com/uptrace/opentelemetry-go-extra/otelgorm.",
}

// stranger reports whether a callback is of another package. Both what replaced
// a callback and what was replaced is asked about.
func stranger(handler reflect.Value) bool {
	fn := runtime.FuncForPC(handler.Pointer())
	return fn == nil || !slices.ContainsFunc(harmless, func(pkg string) bool { return strings.HasPrefix(fn.Name(), pkg) })
}

func (f *foreign) in(p processor) bool {
	cbs := reflect.ValueOf(p).Elem().FieldByName("callbacks")
	n := cbs.Len()
	f.mu.RLock()
	k, ok := f.known[p]
	f.mu.RUnlock()
	if ok && k.callbacks == n {
		return k.any
	}
	k = foreigners{callbacks: n}
	for i := range n {
		k.any = k.any || stranger(cbs.Index(i).Elem().FieldByName("handler"))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = make(map[processor]foreigners)
	}
	f.known[p] = k
	return k.any
}
