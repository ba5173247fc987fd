package middleware

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// claimsOf returns how to read text from claims: a map with string keys, of any
// named type, as JWT libraries return them.
func claimsOf(v any) (get func(name string) string, ok bool) {
	rv := reflect.Indirect(reflect.ValueOf(v))
	if rv.Kind() != reflect.Map || rv.Type().Key().Kind() != reflect.String {
		return nil, false
	}
	return func(name string) string {
		e := rv.MapIndex(reflect.ValueOf(name).Convert(rv.Type().Key()))
		if !e.IsValid() {
			return ""
		}
		if e.Kind() == reflect.Interface {
			e = e.Elem()
		}
		switch e.Kind() {
		case reflect.String:
			return e.String()
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			return fmt.Sprint(e.Interface())
		case reflect.Float32, reflect.Float64: // a JSON number
			f := e.Float()
			if f != math.Trunc(f) || math.Abs(f) > 1<<53-1 {
				return "" // it may be somebody else's
			}
			return strconv.FormatFloat(f, 'f', -1, 64)
		default:
			return ""
		}
	}, true
}
