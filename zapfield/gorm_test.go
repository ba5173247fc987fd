package zapfield_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/gorm"
	gormlogger "gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/zapfield"
)

var (
	_ gormlogger.Interface = zapfield.GORM(nil)
	_ gorm.ParamsFilter    = zapfield.GORM(nil).(gorm.ParamsFilter)
)

type account struct {
	ID       int64
	Name     string
	Password string
}

// secret is in parameters and texts, and must not be in any line.
const secret = "hunter2-correct-horse"

// decode returns the lines as maps.
func decode(t *testing.T, out *buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, line := range out.lines() {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, m)
	}
	return all
}

func TestGORM(t *testing.T) {
	out := new(buffer)
	l := zap.New(jsonCore(out, zap.DebugLevel), zap.AddCaller())
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&account{}); err != nil {
			t.Fatal(err)
		}
		a, idA := start(t, t.Context())
		b, idB := start(t, t.Context())
		out.b.Reset()
		db.Logger = zapfield.GORM(l).LogMode(gormlogger.Info)

		row := account{Name: "ada", Password: secret}
		if err := db.WithContext(a).Create(&row).Error; err != nil {
			t.Fatal(err)
		}
		err := db.WithContext(b).Take(&account{}, "name = ? AND password = ?", "nobody", secret).Error
		if !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Fatal(err)
		}
		if err := db.Exec("UPDATE accounts SET password = '" + secret + "'").Error; err != nil {
			t.Fatal(err)
		}
		if err := db.WithContext(a).Exec("SELECT no_such_thing").Error; err == nil {
			t.Fatal("a column that is not there was found")
		}

		type line struct {
			level, msg, trace string
			rows              any
			failed            bool
		}
		var got []line
		for _, m := range decode(t, out) {
			trace, _ := m[zapfield.Key].(string)
			_, failed := m["error"]
			got = append(got, line{m["level"].(string), m["msg"].(string), trace, m["rows"], failed})
			if sql, _ := m["sql"].(string); sql == "" {
				t.Errorf("no sql on the line %v", m)
			}
			if elapsed, _ := m["elapsed"].(float64); elapsed <= 0 {
				t.Errorf("no elapsed time on the line %v", m)
			}
			if caller, _ := m["caller"].(string); !strings.HasPrefix(caller, "zapfield/gorm_test.go:") {
				t.Errorf("the caller is %v, not this test", m["caller"])
			}
		}
		want := []line{
			{"info", "query", idA, 1.0, false},
			{"error", "query failed", idB, 0.0, true},
			{"info", "query", "", 1.0, false},
			{"error", "query failed", idA, nil, true},
		}
		if len(got) == len(want) {
			want[3].rows = got[3].rows // the drivers differ about a statement that failed
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		if text := out.String(); strings.Contains(text, secret) || !strings.Contains(text, "***") {
			t.Errorf("the secret is not masked:\n%s", text)
		}
	})
}

// A statement shows its values only on demand.
func TestGORMShowValues(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for _, test := range []struct {
			name string
			opts []zapfield.GORMOption
			want bool
		}{
			{"default", nil, false},
			{"ShowValues", []zapfield.GORMOption{zapfield.ShowValues()}, true},
		} {
			l, out := jsonLogger()
			session := db.Session(&gorm.Session{Logger: zapfield.GORM(l, test.opts...).LogMode(gormlogger.Info)})
			if err := session.Exec("SELECT ?", "value-in-the-statement").Error; err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "value-in-the-statement"); got != test.want {
				t.Errorf("%s: value shown is %v, want %v:\n%s", test.name, got, test.want, out)
			}
		}
	})
}

// Without values, a statement is logged as the database got it.
func TestGORMPlaceholders(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&account{}); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{
			"postgres": {
				`INSERT INTO "accounts" ("name","password") VALUES ($1,$2) RETURNING "id"`,
				`SELECT '$1$' || $1 || $2::text`,
			},
			"sqlite": {
				"INSERT INTO `accounts` (`name`,`password`) VALUES (?,?) RETURNING `id`",
				`SELECT '$1' || ? || ?`,
			},
		}[db.Name()]
		l, out := jsonLogger()
		db.Logger = zapfield.GORM(l).LogMode(gormlogger.Info)
		if err := db.Create(&account{Name: "ada", Password: secret}).Error; err != nil {
			t.Fatal(err)
		}
		query := `SELECT '$1$' || ? || ?::text`
		if db.Name() == "sqlite" {
			query = want[1]
		}
		if err := db.Exec(query, "a", "b").Error; err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range decode(t, out) {
			got = append(got, m["sql"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("statements (-want +got):\n%s", diff)
		}
	})
}

// Which statement is logged how, by GORM's level, the outcome and the time.
func TestGORMTrace(t *testing.T) {
	const none = "none"
	failure := errors.New("dial postgres://app:" + secret + "@db: refused")
	hour := []zapfield.GORMOption{zapfield.SlowThreshold(time.Hour)}
	for _, test := range []struct {
		name  string
		opts  []zapfield.GORMOption
		level gormlogger.LogLevel // 0: as it comes
		took  time.Duration
		err   error
		want  string
	}{
		{"a fast one", nil, 0, 0, nil, none},
		{"a fast one, Info", hour, gormlogger.Info, 0, nil, "info query"},
		{"a fast one, Warn", hour, gormlogger.Warn, 0, nil, none},
		{"just over the default threshold", nil, 0, 201 * time.Millisecond, nil, "warn slow query"},
		{"a slow one, Error", nil, gormlogger.Error, time.Minute, nil, none},
		{"under the threshold", hour, 0, time.Minute, nil, none},
		{"over the threshold", hour, 0, 2 * time.Hour, nil, "warn slow query"},
		{"no threshold", []zapfield.GORMOption{zapfield.SlowThreshold(0)}, 0, 2 * time.Hour, nil, none},
		{"negative threshold", []zapfield.GORMOption{zapfield.SlowThreshold(-1)}, 0, 2 * time.Hour, nil, none},
		{"a failed one", nil, 0, 0, failure, "error query failed"},
		{"a failed one, Error", nil, gormlogger.Error, 0, failure, "error query failed"},
		{"a failed one, Silent", nil, gormlogger.Silent, 0, failure, none},
		{"a failed one that was slow", nil, 0, time.Minute, failure, "error query failed"},
		{"not found", nil, 0, 0, gorm.ErrRecordNotFound, "error query failed"},
		{
			"not found, ignored",
			[]zapfield.GORMOption{zapfield.IgnoreRecordNotFound()},
			0, 0, gorm.ErrRecordNotFound, none,
		},
		{
			"not found, ignored, slow",
			[]zapfield.GORMOption{zapfield.IgnoreRecordNotFound()},
			0, time.Minute, gorm.ErrRecordNotFound, "warn slow query",
		},
		{
			"not found, ignored, Info",
			[]zapfield.GORMOption{zapfield.IgnoreRecordNotFound(), zapfield.SlowThreshold(time.Hour)},
			gormlogger.Info, 0, gorm.ErrRecordNotFound, "info query",
		},
		{
			"another failure, not ignored",
			[]zapfield.GORMOption{zapfield.IgnoreRecordNotFound()},
			0, 0, failure, "error query failed",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, out := jsonLogger()
			ctx, id := start(t, t.Context())
			g := zapfield.GORM(l, test.opts...)
			if test.level != 0 {
				g = g.LogMode(test.level)
			}
			asked := false
			g.Trace(ctx, time.Now().Add(-test.took), func() (string, int64) {
				asked = true
				return "SELECT 1", -1
			}, test.err)

			got, wantStamps := none, []string(nil)
			if lines := decode(t, out); len(lines) == 1 {
				got = lines[0]["level"].(string) + " " + lines[0]["msg"].(string)
			} else if len(lines) > 1 {
				t.Fatalf("%d lines:\n%s", len(lines), out)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if asked != (test.want != none) {
				t.Errorf("the statement was asked for: %v", asked)
			}
			if test.want != none {
				wantStamps = []string{id}
			}
			if diff := cmp.Diff(wantStamps, stamps(out.String())); diff != "" {
				t.Errorf("stamps (-want +got):\n%s", diff)
			}
			if strings.Contains(out.String(), "rows") {
				t.Errorf("rows though their number is not known:\n%s", out)
			}
			if strings.Contains(out.String(), secret) {
				t.Errorf("the secret is not masked:\n%s", out)
			}
		})
	}
}

// The words of GORM obey both levels, carry the stamp, and no secret.
func TestGORMWords(t *testing.T) {
	ctx, id := start(t, t.Context())
	say := map[string]func(gormlogger.Interface, string, ...any){
		"info":  func(g gormlogger.Interface, f string, data ...any) { g.Info(ctx, f, data...) },
		"warn":  func(g gormlogger.Interface, f string, data ...any) { g.Warn(ctx, f, data...) },
		"error": func(g gormlogger.Interface, f string, data ...any) { g.Error(ctx, f, data...) },
	}
	for _, test := range []struct {
		gorm gormlogger.LogLevel
		zap  zapcore.Level
		want map[string]bool
	}{
		{gormlogger.Silent, zap.DebugLevel, map[string]bool{}},
		{gormlogger.Error, zap.DebugLevel, map[string]bool{"error": true}},
		{gormlogger.Warn, zap.DebugLevel, map[string]bool{"error": true, "warn": true}},
		{gormlogger.Info, zap.DebugLevel, map[string]bool{"error": true, "warn": true, "info": true}},
		{gormlogger.Info, zap.WarnLevel, map[string]bool{"error": true, "warn": true}},
	} {
		for level, f := range say {
			out := new(buffer)
			l := zap.New(jsonCore(out, test.zap), zap.AddCaller())
			f(zapfield.GORM(l).LogMode(test.gorm), "connecting with password=%s, try %d\n", secret, 3)
			lines := decode(t, out)
			if got := len(lines) == 1; got != test.want[level] {
				t.Errorf("%s at %v and %v: logged is %v, want %v", level, test.gorm, test.zap, got, test.want[level])
				continue
			}
			if !test.want[level] {
				continue
			}
			delete(lines[0], "ts")
			if caller, _ := lines[0]["caller"].(string); !strings.HasPrefix(caller, "zapfield/gorm_test.go:") {
				t.Errorf("the caller is %v, not this test", lines[0]["caller"])
			}
			delete(lines[0], "caller")
			want := map[string]any{"level": level, "msg": "connecting with password=***, try 3", zapfield.Key: id}
			if diff := cmp.Diff(want, lines[0]); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		}
	}
	l, out := jsonLogger()
	zapfield.GORM(l).Error(context.Background(), "100% of 5")
	if got := decode(t, out)[0]["msg"]; got != "100% of 5" {
		t.Errorf("without data the message is %q", got)
	}
}

func TestGORMLogModeLeavesTheFirstAlone(t *testing.T) {
	l, out := jsonLogger()
	g := zapfield.GORM(l)
	g.LogMode(gormlogger.Silent)
	g.Error(context.Background(), "m")
	if len(out.lines()) != 1 {
		t.Errorf("LogMode has changed the logger that it was called on")
	}
}
