package viewer

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"

	"github.com/infrakitchen/audit/viewer/internal/visible"
)

//go:embed templates/*.html static/*
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"pieces":  visible.Pieces, // for the template "text"
	"visible": visible.Text,   // for attributes
}).ParseFS(files, "templates/*.html"))

// asset is a file that pages refer to.
type asset struct {
	kind    string
	content []byte
}

// assets are all of them by name; version is the same for the same content.
var assets, version = readAssets(map[string]string{
	"style.css": "text/css; charset=utf-8",
	"follow.js": "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
})

func readAssets(kinds map[string]string) (map[string]asset, string) {
	all := map[string]asset{}
	sum := sha256.New()
	entries, err := files.ReadDir("static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	for _, e := range entries { // in order of name
		content, err := files.ReadFile(path.Join("static", e.Name()))
		if err != nil || kinds[e.Name()] == "" {
			panic(fmt.Sprintf("viewer: static/%s: %v", e.Name(), err))
		}
		sum.Write(content)
		all[e.Name()] = asset{kinds[e.Name()], content}
	}
	return all, hex.EncodeToString(sum.Sum(nil))[:12]
}

// asset answers with a file. Pages ask for it by version, so that one with the
// right version can be cached.
func (q *request) asset(name string) {
	a := assets[name]
	if q.URL.Query().Get("v") == version {
		q.w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	q.send(http.StatusOK, a.kind, bytes.NewBuffer(a.content))
}

// page is what every page has.
type page struct {
	Title   string // of the viewer
	Heading string // of the page
	Root    string // the relative path to the mount point
	Version string // of the assets
	Zone    string // of times
	Refused bool   // the reader may see no other page either
}

func (q *request) page(heading string) page {
	return page{
		Title: q.handler.options.Title, Heading: heading, Root: q.root,
		Version: version, Zone: q.handler.zone(),
	}
}

// errorView is the page that says what went wrong.
type errorView struct {
	page
	Status int
	Text   string
	Again  bool // the same request may succeed later
}

// html answers with a page.
func (q *request) html(status int, name string, view any) error {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, view); err != nil {
		return fmt.Errorf("viewer: %s: %w", name, err)
	}
	q.send(status, "text/html; charset=utf-8", &body)
	return nil
}
