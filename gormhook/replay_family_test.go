package gormhook_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"
)

// replayOperation is something that an application does with GORM, drawn at
// random in its details. The error is GORM's.
type replayOperation struct {
	name string
	run  func(t *rapid.T, db *gorm.DB) error
}

// GoString is what a failed sequence shows.
func (o replayOperation) GoString() string { return o.name }

// replayFamily is a model, with what is needed to do with it what can be done
// with any.
type replayFamily[M any] struct {
	table        string
	keys         []string // columns
	text, number string   // columns of these kinds
	draw         func(t *rapid.T, db *gorm.DB) M
	keep         func(m *M, key M) // sets the key of m to that of another
	// row draws the values of a row that is to be inserted as a map.
	row func(t *rapid.T, db *gorm.DB) map[string]any
	// change draws values for some columns.
	change func(t *rapid.T, db *gorm.DB) map[string]any
	// key draws a key.
	key  func(t *rapid.T) map[string]any
	soft bool
}

// operations are all that can be done with a model of the family.
func (f replayFamily[M]) operations() []replayOperation {
	all := append(f.creates(), f.saves()...)
	all = append(all, f.upserts()...)
	all = append(all, f.updates()...)
	all = append(all, f.deletes()...)
	all = append(all, f.vain()...)
	for i := range all {
		all[i].name = f.table + ": " + all[i].name
	}
	return all
}

func (f replayFamily[M]) slice(t *rapid.T, db *gorm.DB) []M {
	n := rapid.IntRange(1, 4).Draw(t, "rows")
	rows := make([]M, n)
	for i := range rows {
		rows[i] = f.draw(t, db)
	}
	return rows
}

// pick returns a row that is in the table, if there is one.
func (f replayFamily[M]) pick(t *rapid.T, db *gorm.DB) (M, bool) {
	var rows []M
	if f.soft && rapid.Bool().Draw(t, "unscoped") {
		db = db.Unscoped()
	}
	if err := f.ordered(db).Find(&rows).Error; err != nil {
		t.Fatalf("reading %s: %v", f.table, err)
	}
	if len(rows) == 0 {
		var none M
		return none, false
	}
	return rows[rapid.IntRange(0, len(rows)-1).Draw(t, "row")], true
}

func (f replayFamily[M]) ordered(db *gorm.DB) *gorm.DB {
	for _, name := range append([]string{f.text, f.number}, f.keys...) {
		db = db.Order(clause.OrderByColumn{Column: clause.Column{Name: name}})
	}
	return db.Session(&gorm.Session{})
}

// some narrows a statement to some of the rows, or none.
func (f replayFamily[M]) some(t *rapid.T, db *gorm.DB) *gorm.DB {
	number, text := clause.Column{Name: f.number}, clause.Column{Name: f.text}
	switch rapid.SampledFrom([]string{"greater", "less", "text", "not", "all"}).Draw(t, "condition") {
	case "greater":
		return db.Where(clause.Gt{Column: number, Value: drawSmall.Draw(t, "than")})
	case "less":
		return db.Where(clause.Lte{Column: number, Value: drawSmall.Draw(t, "than")})
	case "text":
		return db.Where(clause.IN{Column: text, Values: []any{drawText.Draw(t, "text"), "a", "b"}})
	case "not":
		return db.Where(clause.Not(clause.Eq{Column: text, Value: drawText.Draw(t, "text")}))
	default:
		return db.Where("1 = 1")
	}
}

func (f replayFamily[M]) creates() []replayOperation {
	return []replayOperation{
		{"create", func(t *rapid.T, db *gorm.DB) error {
			m := f.draw(t, db)
			return db.Create(&m).Error
		}},
		{"create several", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Create(&rows).Error
		}},
		{"create several by pointers", func(t *rapid.T, db *gorm.DB) error {
			var rows []*M
			for _, m := range f.slice(t, db) {
				rows = append(rows, &m)
			}
			return db.Create(rows).Error
		}},
		{"create in batches", func(t *rapid.T, db *gorm.DB) error {
			rows := append(f.slice(t, db), f.slice(t, db)...)
			if rapid.Bool().Draw(t, "by the session") {
				return db.Session(&gorm.Session{CreateBatchSize: 2}).Create(&rows).Error
			}
			return db.CreateInBatches(&rows, 3).Error
		}},
		{"create from a map", func(t *rapid.T, db *gorm.DB) error {
			return db.Model(new(M)).Create(f.row(t, db)).Error
		}},
		{"create from maps", func(t *rapid.T, db *gorm.DB) error {
			rows := []map[string]any{f.row(t, db), f.row(t, db)}
			return db.Model(new(M)).Create(&rows).Error
		}},
		{"create without a model", func(t *rapid.T, db *gorm.DB) error {
			return db.Table(f.table).Create(f.row(t, db)).Error
		}},
		{"create some columns", func(t *rapid.T, db *gorm.DB) error {
			m := f.draw(t, db)
			return db.Omit(f.number).Create(&m).Error
		}},
		{"create and return", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Clauses(clause.Returning{}).Create(&rows).Error
		}},
		{"create where there is none", func(t *rapid.T, db *gorm.DB) error {
			var found M
			db = f.some(t, db)
			if rapid.Bool().Draw(t, "attrs") {
				m := f.draw(t, db)
				db = db.Attrs(&m)
			}
			if rapid.Bool().Draw(t, "assign") {
				db = db.Assign(f.change(t, db))
			}
			return db.FirstOrCreate(&found).Error
		}},
	}
}

func (f replayFamily[M]) saves() []replayOperation {
	return []replayOperation{
		{"save a new one, or over one", func(t *rapid.T, db *gorm.DB) error {
			m := f.draw(t, db)
			return db.Save(&m).Error
		}},
		{"save as it is", func(t *rapid.T, db *gorm.DB) error {
			m, ok := f.pick(t, db)
			if !ok {
				return nil
			}
			return db.Save(&m).Error
		}},
		{"save changed", func(t *rapid.T, db *gorm.DB) error {
			m, ok := f.pick(t, db)
			if !ok {
				return nil
			}
			changed := f.draw(t, db)
			f.keep(&changed, m)
			if f.soft && rapid.Bool().Draw(t, "unscoped") {
				db = db.Unscoped()
			}
			return db.Save(&changed).Error
		}},
		{"save several", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			if m, ok := f.pick(t, db); ok {
				rows = append(rows, m)
			}
			return db.Save(&rows).Error
		}},
	}
}

func (f replayFamily[M]) upserts() []replayOperation {
	var key []clause.Column
	for _, name := range f.keys {
		key = append(key, clause.Column{Name: name})
	}
	return []replayOperation{
		{"upsert", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&rows).Error
		}},
		{"upsert some columns", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Clauses(clause.OnConflict{
				Columns: key, DoUpdates: clause.AssignmentColumns([]string{f.text}),
			}).Create(&rows).Error
		}},
		{"upsert under a condition", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Clauses(clause.OnConflict{
				Columns: key, DoUpdates: clause.AssignmentColumns([]string{f.text, f.number}),
				Where: clause.Where{Exprs: []clause.Expression{clause.Gt{
					Column: clause.Column{Table: clause.CurrentTable, Name: f.number}, Value: drawSmall.Draw(t, "than"),
				}}},
			}).Create(&rows).Error
		}},
		{"upsert by an expression", func(t *rapid.T, db *gorm.DB) error {
			m := f.draw(t, db)
			number := clause.Column{Table: clause.CurrentTable, Name: f.number}
			return db.Clauses(clause.OnConflict{
				Columns: key, DoUpdates: clause.Set{{
					Column: clause.Column{Name: f.number}, Value: clause.Expr{SQL: "? - ?", Vars: []any{number, 1}},
				}},
			}).Create(&m).Error
		}},
		{"upsert and return", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Clauses(clause.OnConflict{UpdateAll: true}, clause.Returning{}).Create(&rows).Error
		}},
		{"insert unless there", func(t *rapid.T, db *gorm.DB) error {
			rows := f.slice(t, db)
			return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error
		}},
	}
}
