package gormhook_test

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"

	"github.com/infrakitchen/audit/gormhook"
)

// A pool of one connection must do: the plugin never waits for a second while
// it holds the first.
func TestPoolOfOneConnection(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		pool, err := d.db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a deadlock fails, it does not hang
		defer cancel()
		d.given(t, tags(8))
		for name, write := range writesOfTags {
			if err := write(d.db.WithContext(ctx)).Error; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		err = d.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&Hooked{Name: "a"}), tx.Create(&Tag{30, "a"}))
			return tx.Transaction(func(tx *gorm.DB) error { return tx.Delete(&Tag{ID: 30}).Error })
		})
		if err != nil {
			t.Error(err)
		}
	}, "tags", "hookeds", "echos")
}

// Connection pins one connection for several statements.
func TestConnection(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.given(t, tags(8))
		err := d.db.Connection(func(tx *gorm.DB) error {
			tx = tx.Session(&gorm.Session{})
			for _, write := range writesOfTags {
				must(t, write(tx))
			}
			return tx.Transaction(func(tx *gorm.DB) error { return tx.Create(&Tag{30, "a"}).Error })
		})
		if err != nil {
			t.Fatal(err)
		}
		if entries := readEntries(t, d.desk, 0); len(entries) != 13 {
			t.Errorf("%d entries, want 13", len(entries))
		}
	}, "tags")
}

// Begin, Commit and Rollback by hand.
func TestTransactionByHand(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		tx := d.db.Begin()
		must(t, tx, tx.Create(&Tag{1, "a"}), tx.SavePoint("here"), tx.Create(&Tag{2, "b"}), tx.RollbackTo("here"),
			tx.Create(&Tag{3, "c"}), tx.Commit())
		d.wants(t, "insert tag 1", "insert tag 3")
		tx = d.db.Begin(&sql.TxOptions{Isolation: sql.LevelSerializable})
		must(t, tx, tx.Create(&Tag{4, "d"}), tx.Exec("DELETE FROM tags"), tx.Rollback())
		d.wants(t)
		if err := tx.Create(&Tag{5, "e"}).Error; !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("got %v, want sql.ErrTxDone", err)
		}
		d.wants(t)
	}, "tags")
}

// lines is a logger that keeps what GORM tells it.
type lines struct {
	logger.Interface
	mu  sync.Mutex
	all []string
}

func (l *lines) LogMode(logger.LogLevel) logger.Interface { return l }

func (l *lines) Trace(_ context.Context, _ time.Time, fc func() (string, int64), err error) {
	text, n := fc()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, text+" | "+string(rune('0'+n%10))+" | "+errorText(err))
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

var savepoint = regexp.MustCompile(`sp\w+`)

// What GORM logs is the caller's own SQL, with its rows and its errors: line
// by line what it is without the plugin.
func TestLog(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		twin := newFixture(t, d.route, "tags", "hookeds", "echos", "items")
		var logs [2]*lines
		for i, f := range []*fixture{d, twin} {
			f.given(t, rows(tags(8), items(1, 2)))
			logs[i] = &lines{Interface: logger.Discard}
			db := f.db.Session(&gorm.Session{Logger: logs[i]})
			for _, name := range []string{"create", "create slice", "update", "update many", "delete", "upsert", "returning", "raw", "raw query"} {
				must(t, writesOfTags[name](db))
			}
			must(t, db.Create(&Hooked{Name: "a"}), db.Delete(&Item{}, 1), db.Save(&[]Tag{{1, "z"}}))
			_ = db.Create(&Tag{1, "twice"}).Error // is in the log
			_ = db.Transaction(func(tx *gorm.DB) error {
				_ = tx.Transaction(func(tx *gorm.DB) error { return tx.Model(&Tag{ID: 2}).Update("name", "y").Error })
				return errRefused
			})
			for n := range logs[i].all {
				logs[i].all[n] = savepoint.ReplaceAllString(logs[i].all[n], "sp")
			}
		}
		if diff := cmp.Diff(logs[1].all, logs[0].all); diff != "" {
			t.Errorf("the logs differ (-without +with the plugin):\n%s", diff)
		}
		for _, line := range logs[0].all {
			if strings.Contains(line, "audit_") {
				t.Errorf("the log shows the plugin: %s", line)
			}
		}
	}, "tags", "hookeds", "echos", "items")
}

// The protocols of pgx send values in different forms, some without knowing
// the statement's types: those that poolers of connections need.
func TestProtocols(t *testing.T) {
	for _, r := range routes()[1:] {
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r, "tags")
			for _, protocol := range []string{"simple_protocol", "exec", "cache_describe", "describe_exec"} {
				db := openPostgres(t, d.dsn+"&default_query_exec_mode="+protocol, config(byDefault))
				if err := db.Use(r.plugin); err != nil {
					t.Fatal(err)
				}
				d.run(t, `DELETE FROM tags`)
				d.given(t, tags(8))
				for name, write := range writesOfTags {
					if err := write(db).Error; err != nil {
						t.Errorf("%s, %s: %v", protocol, name, err)
					}
				}
				entries := readEntries(t, d.desk, d.mark)
				if len(entries) != 12 {
					t.Errorf("%s: %d entries, want 12", protocol, len(entries))
				}
				d.mark = lastSeq(t, d.desk)
			}
			db := opened(t, postgres.New(postgres.Config{DSN: d.dsn, PreferSimpleProtocol: true}), config(byDefault))
			if err := db.Use(r.plugin); err != nil {
				t.Fatal(err)
			}
			must(t, db.Create(&Tag{50, "it's"}), db.Model(&Tag{ID: 50}).Update("name", `\`))
			d.wants(t, "insert tag 50", "update tag 50")
		})
	}
}

// dbresolver sends reads to a replica; what the plugin reads before a change
// it reads where the change is made.
func TestResolver(t *testing.T) {
	for _, r := range routes() {
		t.Run(r.name, func(t *testing.T) {
			d, replica := newFixture(t, r, "tags"), newFixture(t, r, "tags")
			for _, db := range []*gorm.DB{d.db, d.handle(withoutTransaction)} {
				err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{replica.db.Dialector}}))
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Use(r.plugin); err != nil {
					t.Fatal(err)
				}
				d.run(t, "DELETE FROM tags")
				d.given(t, tags(8))
				var n int64
				if err := db.Model(&Tag{}).Count(&n).Error; err != nil || n != 0 {
					t.Errorf("the replica has %d rows (%v): it should be asked, and empty", n, err)
				}
				for name, write := range writesOfTags {
					if name == "raw query" {
						continue // dbresolver takes it for a read
					}
					if err := write(db).Error; err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				if entries := readEntries(t, d.desk, d.mark); len(entries) != 11 {
					t.Errorf("%d entries, want 11", len(entries))
				}
				d.mark = lastSeq(t, d.desk)
				must(t, db.Clauses(dbresolver.Write).Raw("DELETE FROM tags WHERE id = 8 RETURNING id").Scan(new(int64)))
				d.wants(t, "raw delete tag 1")
			}
			if n := len(readEntries(t, replica.desk, 0)); n != 0 {
				t.Errorf("%d entries are in the replica", n)
			}
		})
	}
}

// A statement that was prepared once is run many times, by other values, and
// by several goroutines at once.
func TestConcurrentWriters(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		db := d.handle(prepared)
		if err := db.Use(d.plugin); err != nil {
			t.Fatal(err)
		}
		given := map[string]row{}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for n := range 25 {
					id := int64(100*(w+1) + n)
					for _, tx := range []*gorm.DB{
						db.Create(&Tag{id, "a"}), db.Model(&Tag{ID: id}).Update("name", "b"),
						db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Tag{id, "c"}), db.Delete(&Tag{ID: id}),
					} {
						if tx.Error != nil {
							t.Error(tx.Error)
						}
					}
				}
			})
		}
		wg.Wait()
		entries := readEntries(t, d.desk, 0)
		sh := readShape(t, d.side, d.engine, relationOf(t, "tags"))
		for _, e := range entries {
			sh.apply(t, given, e)
		}
		if diff := cmp.Diff(sh.read(t, d.desk), given); diff != "" {
			t.Errorf("the entries do not rebuild the table (-there +rebuilt):\n%s", diff)
		}
		if len(entries) != 400 {
			t.Errorf("%d entries, want 400", len(entries))
		}
	}, "tags")
}

func relationOf(t *testing.T, table string) *relation {
	t.Helper()
	for _, rel := range relations() {
		if rel.table == table {
			return rel
		}
	}
	t.Fatalf("no table %s", table)
	return nil
}

// A statement with as many parameters as there can be has no room for one of
// the plugin's.
func TestMostParameters(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		most := 32766 / 2
		if d.engine == postgresEngine {
			most = 65535 / 2
		}
		list := make([]Tag, most)
		for i := range list {
			list[i] = Tag{int64(i + 1), "x"}
		}
		ids := make([]int64, 2*most) // and one for the name
		for i := range ids[:most] {
			ids[i] = int64(i + 1)
		}
		for _, step := range []struct {
			operation string
			write     func() *gorm.DB
		}{
			{"insert", func() *gorm.DB { return d.db.Create(&list) }},
			{"update", func() *gorm.DB { return d.db.Model(&Tag{}).Where("id IN ?", ids[:len(ids)-1]).Update("name", "y") }},
			{"delete", func() *gorm.DB { return d.db.Where("id IN ?", ids).Delete(&Tag{}) }},
		} {
			done := step.write()
			must(t, done)
			if done.RowsAffected != int64(most) {
				t.Errorf("%s: %d rows affected, want %d", step.operation, done.RowsAffected, most)
			}
			if n := d.count(t, "audit_logs", "operation = '"+step.operation+"'"); n != most {
				t.Errorf("%d entries of %s, want %d", n, step.operation, most)
			}
		}
	}, "tags")
}
