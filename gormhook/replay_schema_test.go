package gormhook_test

import (
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// replaySchema is what a test knows of the tables that it folds.
type replaySchema struct {
	postgres bool
	tables   []*replayTable
	byModel  map[string]*replayTable
	query    string // of everything that is in the tables
}

type replayTable struct {
	name    string
	columns []replayColumn
	key     []string
}

type replayColumn struct {
	name string
	// typ is the type in the words of the engine, in lower case, without a
	// length.
	typ string
}

// readReplaySchema reads the columns of tables, which are given by the models
// that the trail calls their rows; one table may have several.
func readReplaySchema(db *gorm.DB, models map[string]string) (*replaySchema, error) {
	s := &replaySchema{postgres: db.Name() == "postgres", byModel: map[string]*replayTable{}}
	query := `SELECT m.name, c.name, lower(c.type), c.pk FROM sqlite_master m, pragma_table_xinfo(m.name) c
		WHERE m.type = 'table' ORDER BY m.name, c.cid`
	if s.postgres {
		query = `SELECT c.table_name, c.column_name, c.udt_name, coalesce(k.ordinal_position, 0)
			FROM information_schema.columns c
			LEFT JOIN (
				information_schema.key_column_usage k
				JOIN information_schema.table_constraints p
				ON p.constraint_name = k.constraint_name AND p.table_name = k.table_name AND p.constraint_type = 'PRIMARY KEY'
			) ON k.table_name = c.table_name AND k.column_name = c.column_name
			WHERE c.table_schema = 'public' ORDER BY c.table_name, c.ordinal_position`
	}
	rows, err := db.Raw(query).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	wanted, tables := map[string]bool{}, map[string]*replayTable{}
	for _, name := range models {
		wanted[name] = true
	}
	for rows.Next() {
		var name string
		var c replayColumn
		var place int
		if err := rows.Scan(&name, &c.name, &c.typ, &place); err != nil {
			return nil, err
		}
		if !wanted[name] {
			continue
		}
		t := tables[name]
		if t == nil {
			t = &replayTable{name: name}
			tables[name] = t
			s.tables = append(s.tables, t)
		}
		c.typ, _, _ = strings.Cut(c.typ, "(")
		t.columns = append(t.columns, c)
		if place > 0 {
			for len(t.key) < place {
				t.key = append(t.key, "")
			}
			t.key[place-1] = c.name
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(tables) != len(wanted) {
		return nil, fmt.Errorf("%d of %d tables are there", len(tables), len(wanted))
	}
	for model, name := range models {
		s.byModel[model] = tables[name]
	}
	s.query = s.everything()
	return s, nil
}

// everything returns a query whose rows are a table's name and the values of a
// row of it as text: what PostgreSQL casts them to, what SQLite would write
// them as in SQL. It is one query, so that it is one state.
func (s *replaySchema) everything() string {
	parts := make([]string, 0, len(s.tables))
	for _, t := range s.tables {
		values := make([]string, 0, len(t.columns))
		for _, c := range t.columns {
			name := `"` + strings.ReplaceAll(c.name, `"`, `""`) + `"`
			if s.postgres {
				values = append(values, name+`::text`)
			} else {
				values = append(values, `quote(`+name+`)`)
			}
		}
		list := `json_array(` + strings.Join(values, `, `) + `)`
		if s.postgres {
			list = `array_to_json(ARRAY[` + strings.Join(values, `, `) + `])::text`
		}
		parts = append(parts, `SELECT '`+t.name+`', `+list+` FROM "`+t.name+`"`)
	}
	return strings.Join(parts, ` UNION ALL `)
}

// replayRow is a row in the spelling of the trail, by column.
type replayRow map[string]string

// replayState is what is in the tables: the rows by table and entity id.
type replayState map[string]map[string]replayRow

func (s *replaySchema) empty() replayState {
	state := replayState{}
	for _, t := range s.tables {
		state[t.name] = map[string]replayRow{}
	}
	return state
}

// read returns what is in the tables.
func (s *replaySchema) read(db *gorm.DB) (replayState, error) {
	byName := map[string]*replayTable{}
	for _, t := range s.tables {
		byName[t.name] = t
	}
	state := s.empty()
	err := eachRow(db, func(rows *sql.Rows) error {
		var name, list string
		if err := rows.Scan(&name, &list); err != nil {
			return err
		}
		t := byName[name]
		row, err := s.spellRow(t, list)
		if err != nil {
			return fmt.Errorf("spelling a row of %s: %w", name, err)
		}
		id := t.entity(row)
		if _, twice := state[t.name][id]; twice {
			return fmt.Errorf("two rows of %s are %s", name, id)
		}
		state[t.name][id] = row
		return nil
	}, s.query)
	return state, err
}

// entity returns the entity id of a row.
func (t *replayTable) entity(row replayRow) string {
	parts := make([]string, len(t.key))
	for i, name := range t.key {
		parts[i] = bareText(row[name])
		if len(t.key) > 1 {
			parts[i] = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(parts[i])
		}
	}
	return strings.Join(parts, ",")
}

// eachRow calls f for each row of a query.
func eachRow(db *gorm.DB, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
