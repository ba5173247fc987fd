package gormhook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/gormhook"
)

// A value is spelled as what is beneath all its domains, be they domains of
// domains, of arrays or in arrays.
func TestNestedDomains(t *testing.T) {
	onPostgres(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE DOMAIN instant AS timestamptz`, `CREATE DOMAIN later AS instant`, `CREATE DOMAIN series AS later[]`,
			`CREATE DOMAIN raw AS bytea`, `CREATE DOMAIN raws AS raw[]`, `CREATE DOMAIN period AS tstzrange`, `CREATE DOMAIN age AS period`,
			`CREATE TABLE visits (id bigint PRIMARY KEY, plain instant, nested later, list later[], listed series, lists series[], blob raw, blobs raws, during age)`)
		values := map[string]any{
			"id": 1, "plain": "2026-01-02 03:04:05+09", "nested": "2026-01-02 03:04:05+09", "list": `{"2026-01-02 03:04:05+09",NULL}`,
			"listed": `{"2026-01-02 03:04:05+09"}`, "blob": `\x00ff`, "blobs": `{"\\x00ff"}`, "during": `["2026-01-02 03:04:05+09",)`,
		}
		must(t, d.db.Table("visits").Create(values), d.db.Table("visits").Where("id = 1").Update("lists", `{"{NULL}"}`))
		entries := d.wants(t, "insert visit 1", "update visit 1")
		at := "2026-01-01T18:04:05.000000Z"
		want := map[string]any{
			"plain": at, "nested": at, "list": []any{at, nil}, "listed": []any{at}, "lists": nil, "blob": `\x00ff`,
			"blobs": []any{`\x00ff`}, "during": "[" + at + ",)",
		}
		got := entries[0].after
		delete(got, "id")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the image differs (-want +got):\n%s", diff)
		}
	})
}
