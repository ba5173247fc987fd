package gormhook_test

import (
	"database/sql"
	"math"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// values are of every type, spelled the same whatever the engine and the path.
func values() []*trial {
	east, west := time.FixedZone("east", 14*3600), time.FixedZone("west", -9*3600-1800)
	at := func(us int, zone *time.Location) time.Time {
		return time.Date(2026, 12, 31, 23, 59, 59, us*1000, time.UTC).In(zone)
	}
	plain := func(id int64) Specimen {
		return Specimen{ID: id, Moment: now, Day: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), Decimal: "1.50"}
	}
	return []*trial{{
		name: "numbers", why: "integers beyond 2^53, the smallest and the largest, decimals and floats: an intermediate float would round them",
		tables: []string{"specimens"}, given: rows(ptr(plain(1))),
		want: []string{"insert specimen 2..3", "update specimen 1", "update specimen 1", "update specimen 1", "delete specimen 2"},
		do: func(r *run) error {
			high, low := plain(2), plain(3)
			high.Big, high.Unsigned, high.Small = math.MaxInt64, math.MaxInt64, math.MaxInt8
			high.Single, high.Double, high.Half = 1.1, 1e300, sql.NullFloat64{Float64: 0.1, Valid: true}
			high.Decimal = "1234567890123456789012345678.123456789012"
			low.Big, low.Small, low.Single, low.Double = math.MinInt64, math.MinInt8, -16777216, 5e-324
			low.Decimal, low.Half = "-0.000000000001", sql.NullFloat64{Float64: -123456.789e-3, Valid: true}
			if err := r.note(r.db.Create(&[]Specimen{high, low})); err != nil {
				return err
			}
			for _, m := range []map[string]any{
				{"big": int64(1)<<53 + 1, "double": 123456789.125, "decimal": "100.0", "small": -1},
				{"big": gorm.Expr("big + 1"), "double": 1e21, "single": float32(3.4e38), "number": sql.NullInt64{Int64: -9, Valid: true}},
				{"double": math.Copysign(0, -1), "single": 1e-7, "number": nil},
			} {
				if err := r.note(r.db.Model(&Specimen{ID: 1}).Updates(m)); err != nil {
					return err
				}
			}
			return r.note(r.db.Delete(&Specimen{}, 2))
		},
	}, {
		name: "a float that is zero, and minus zero", why: "they are the same number, so they must not be spelled differently",
		tables: []string{"specimens"}, given: rows(ptr(plain(1))),
		do: func(r *run) error {
			return r.note(r.db.Model(&Specimen{ID: 1}).Update("double", math.Copysign(0, -1)))
		},
	}, {
		name: "texts", why: "quotes, backslashes, line ends, emoji, letters beyond the basic plane, control characters, and texts that look like something else",
		tables: []string{"specimens"}, given: rows(ptr(plain(1))), want: []string{
			"update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1",
			"update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1",
		},
		do: func(r *run) error {
			for _, s := range []string{
				`it's "quoted" \ and \\ more \u0041`, "two\nlines\r\n\ttabbed", "👩‍👩‍👧 é e\u0301 \U0010ffff", "\x01\x1f\x7f\u0085\u2028\ufeff\u202e",
				"<script>&amp;</script>", "null", "123", "true", `{"a": 1}`, `\x616263`,
			} {
				if err := r.note(r.db.Model(&Specimen{ID: 1}).Update("text", s)); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "nulls", why: "null is neither an empty text nor zero", tables: []string{"specimens"}, given: rows(ptr(plain(1))),
		want: []string{"update specimen 1", "update specimen 1", "update specimen 1"},
		do: func(r *run) error {
			s := plain(1)
			for _, m := range []map[string]any{
				{"void": sql.NullString{Valid: true}, "number": 0, "maybe": now, "bytes": []byte{}, "half": 0},
				{"void": nil, "number": nil, "maybe": nil, "bytes": nil, "half": nil},
				{"void": "null"},
			} {
				if err := r.note(r.db.Model(&s).Updates(m), &s); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "times", why: "given in any zone, they are UTC with microseconds; the same instant is not a change",
		tables: []string{"specimens"}, given: rows(ptr(plain(1))),
		want: []string{"update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1"},
		do: func(r *run) error {
			for _, m := range []map[string]any{
				{"moment": at(123456, east)},
				{"moment": at(123456, west)},
				{"moment": at(123456, time.UTC)}, // one instant
				{"moment": at(0, west)},
				{"moment": time.Time{}, "maybe": time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
				{"moment": time.Date(1900, 1, 1, 0, 0, 0, 1000, east), "maybe": at(1, east)},
				{"day": time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
			} {
				if err := r.note(r.db.Model(&Specimen{ID: 1}).Updates(m)); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "bytes", why: "hex, whatever the content", tables: []string{"specimens"}, given: rows(ptr(plain(1))),
		want: []string{"update specimen 1", "insert specimen 2", "update specimen 1"},
		do: func(r *run) error {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			if err := r.note(r.db.Model(&Specimen{ID: 1}).Update("bytes", all)); err != nil {
				return err
			}
			s := plain(2)
			s.Bytes = []byte("text")
			if err := r.note(r.db.Create(&s), &s); err != nil {
				return err
			}
			return r.note(r.db.Model(&Specimen{ID: 1}).Update("bytes", []byte{}))
		},
	}, {
		name: "JSON", why: "JSON stays JSON, with its numbers unchanged; spacing is not a change", tables: []string{"specimens"}, given: rows(ptr(plain(1))),
		want: []string{"update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1", "update specimen 1"},
		do: func(r *run) error {
			for _, doc := range []string{
				`{"b": [1, 2.50, 12345678901234567890123, {"é": null}], "a":"x\"\\"}`, `[]`, `"text"`, `17`, `true`,
			} {
				if err := r.note(r.db.Model(&Specimen{ID: 1}).Update("doc", doc)); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "JSON, the same value spelled differently", why: "spacing and the order of keys are not changes, and null is null",
		tables: []string{"specimens"}, given: rows(ptr(plain(1)), &Specimen{ID: 2, Moment: now, Day: now, Doc: ptr(`{"b": [1.50], "a": "x"}`)}),
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Specimen{ID: 1}).Update("doc", "null")); err != nil {
				return err
			}
			return r.note(r.db.Model(&Specimen{ID: 2}).Update("doc", `{"a" :"x",   "b":[ 1.50 ]}`))
		},
	}, {
		name: "uuids", why: "lower case", tables: []string{"specimens"}, given: rows(ptr(plain(1))), want: []string{"update specimen 1", "update specimen 1"},
		do: func(r *run) error {
			for _, id := range []any{"6BA7B810-9DAD-11D1-80B4-00C04FD430C8", nil} {
				if err := r.note(r.db.Model(&Specimen{ID: 1}).Update("uuid", id)); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "all of them in an upsert", why: "the before image is captured differently there", tables: []string{"specimens"},
		given: rows(&Specimen{
			ID: 1, Big: math.MaxInt64, Double: 1e300, Single: 1.1, Flag: true, Text: `it's "q" \ é 👩‍👧`, Bytes: []byte{0, 255}, Moment: at(5, east),
			Maybe: ptr(at(7, west)), Decimal: "12345678901234567890.5", Doc: ptr(`{"a": [1.50]}`), UUID: ptr("6BA7B810-9DAD-11D1-80B4-00C04FD430C8"), Day: at(0, time.UTC),
		}),
		want: []string{"update specimen 1", "update specimen 1"},
		do: func(r *run) error {
			s := plain(1)
			if err := r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&s), &s); err != nil {
				return err
			}
			s.Text, s.Bytes, s.Doc = "\n\"", []byte("x"), ptr(`{"b":1}`)
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&s), &s)
		},
	}, {
		name: "serializers", why: "the column has what the serializer made of the field", tables: []string{"parchments"},
		want: []string{"insert parchment 101", "update parchment 101", "update parchment 101"},
		do: func(r *run) error {
			p := Parchment{Tree: map[string]any{"k": []any{"v", 1.5}}, Unix: 1700000000, Gob: []string{"a"}, Shout: "quiet", Amount: Money{1050}, Labels: Labels{"x", "y"}}
			if err := r.note(r.db.Create(&p), &p); err != nil {
				return err
			}
			if err := r.note(r.db.Model(&p).Updates(Parchment{Tree: map[string]any{}, Unix: 1700000001, Shout: "loud", Amount: Money{1}})); err != nil {
				return err
			}
			p.Gob, p.Labels = nil, Labels{"z"}
			return r.note(r.db.Save(&p), &p)
		},
	}, {
		name: "bytes that are not valid text", why: "SQLite stores invalid UTF-8 and NUL as text", on: sqliteEngine,
		tables: []string{"specimens"}, given: rows(ptr(plain(1))), want: []string{"update specimen 1", "update specimen 1"},
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Specimen{ID: 1}).Update("text", "\xff\xfe")); err != nil {
				return err
			}
			return r.note(r.db.Model(&Specimen{ID: 1}).Update("text", "a\x00b"))
		},
	}, {
		name: "types of PostgreSQL", why: "arrays, ranges, enums, domains, composites and types without equality", on: postgresEngine,
		tables: []string{"exhibits"}, given: rows(&Exhibit{ID: 1}),
		want: []string{"insert exhibit 2", "update exhibit 1", "update exhibit 1", "update exhibit 1", "update exhibit 2", "update exhibit 2", "insert exhibit 3", "delete exhibit 3"},
		do: func(r *run) error {
			full := exhibit(2)
			if err := r.note(r.db.Create(&full)); err != nil {
				return err
			}
			odd := map[string]any{
				"texts": `{}`, "ints": `[0:1]={5,6}`, "times": `{infinity,-infinity}`, "blobs": `{}`, "grid": `{{1,2},{3,4}}`,
				"numeric": "NaN", "real": "NaN", "double": "-Infinity", "day": "infinity", "stamp": "infinity", "moment": "-infinity",
			}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Model(&Exhibit{ID: 1}).Updates(odd) },
				func() *gorm.DB { return r.db.Model(&Exhibit{ID: 1}).Updates(odd) }, // nothing changes
				func() *gorm.DB { return r.db.Model(&Exhibit{ID: 1}).Update("numeric", "1.10") },
				func() *gorm.DB { return r.db.Model(&Exhibit{ID: 1}).Update("numeric", "1.100") },
				func() *gorm.DB {
					return r.db.Model(&Exhibit{ID: 2}).Updates(map[string]any{"texts": "{NULL}", "spot": "(1,3)", "plain": `{"a":2}`, "mood": "glad"})
				},
				func() *gorm.DB { return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Exhibit{ID: 2}) },
				func() *gorm.DB { return r.db.Create(ptr(exhibit(3))) },
				func() *gorm.DB { return r.db.Where("id = 3").Delete(&Exhibit{}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}}
}

func exhibit(id int64) Exhibit {
	return Exhibit{
		ID: id, Texts: ptr(`{a,NULL,"NULL","q\"\\ ,{}",""}`), Ints: ptr(`{9223372036854775807,-1}`),
		Times: ptr(`{"2026-01-02 03:04:05.000006+05:30",NULL}`), Stamps: ptr(`{"2026-01-02 03:04:05"}`), Blobs: ptr(`{"\\x00ff",NULL}`),
		Grid: ptr(`{{1,2},{3,NULL}}`), Docs: ptr(`{"{\"a\": 1.50}","null"}`), Binary: ptr(`{"b": 1e3, "a": [1.50, "x"]}`),
		Plain: ptr(`{"b" :1e3,  "a":[1.50,"x"]}`), Numeric: ptr("12345678901234567890.1234500"), Real: ptr("1.1"), Double: ptr("1e-300"),
		Day: ptr("2026-02-28"), Clock: ptr("23:59:59.5"), Zoned: ptr("01:02:03+05:30"), Stamp: ptr("2026-01-02 03:04:05.6"),
		Moment: ptr("2026-01-02 03:04:05.6+09"), Second: ptr("2026-01-02 03:04:05.6+09"), Span: ptr("1 year 2 days 03:00"),
		Net: ptr("10.0.0.1/8"), Range: ptr("[1,5)"), Bits: ptr("101"), Spot: ptr("(1,2)"), Letters: ptr("ab"), Mood: ptr(`so "so"`),
		Positive: ptr("2.50"), Instant: ptr("2026-01-02 03:04:05+09"), Pair: ptr(`(1,"x, ""y""")`),
		Period: ptr(`["2026-01-02 03:04:05+09",)`), Vector: ptr("'a' 'b'"), Markup: ptr("<a>b</a>"),
	}
}
