package viewer_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// event is one that was sent.
type event struct{ Name, ID, Data string }

// listener reads a stream.
type listener struct {
	*testing.T
	*http.Response
	lines *bufio.Scanner
	leave context.CancelFunc
}

// listen asks a server for a stream.
func listen(t *testing.T, h http.Handler, path string, header ...string) *listener {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return tune(t, server, path, header...)
}

func tune(t *testing.T, server *httptest.Server, path string, header ...string) *listener {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	a, err := server.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{T: t, Response: a, lines: bufio.NewScanner(a.Body), leave: leave}
	l.lines.Buffer(nil, 10<<20)
	t.Cleanup(func() { leave(); _ = a.Body.Close() })
	if a.StatusCode == http.StatusOK && a.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %s", path, a.Header.Get("Content-Type"))
	}
	return l
}

// next returns the event that comes next, or an empty one where none does. A
// comment is an event whose name is ":".
func (l *listener) next() (e event) {
	l.Helper()
	for data := []string(nil); l.lines.Scan(); {
		name, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch name {
		case "event":
			e.Name = value
		case "id":
			e.ID = value
		case "data":
			data = append(data, value)
		case ":":
			e.Name = ":"
		case "":
			if e.Name != "" {
				e.Data = strings.Join(data, "\n")
				return e
			}
		case "retry":
		default:
			l.Fatalf("%q is no line of a stream", l.lines.Text())
		}
	}
	return event{}
}

// until reads as far as an event, which is the last of what it returns.
func (l *listener) until(name string) (all []event) {
	l.Helper()
	for {
		e := l.next()
		if e.Name == "" {
			l.Fatalf("the stream ended without %q, with %+v", name, all)
		}
		if all = append(all, e); e.Name == name {
			return all
		}
	}
}

// take reads lines until there are n, and returns their texts and the last id.
func (l *listener) take(n int) (texts []string, id string) {
	l.Helper()
	for len(texts) < n {
		e := l.until("lines")
		id = e[len(e)-1].ID
		texts = append(texts, messages(fragment(l.T, e[len(e)-1].Data))...)
	}
	return texts, id
}

// fragment parses rows as a browser that puts them into a table.
func fragment(t *testing.T, rows string) *answer {
	t.Helper()
	doc, err := html.Parse(strings.NewReader("<!doctype html><h1></h1><table><tbody>" + rows + "</tbody></table>"))
	if err != nil {
		t.Fatal(err)
	}
	return &answer{T: t, doc: doc, address: "/traces/x"}
}

func messages(a *answer) []string { return a.texts("span", "class=text") }

func numbers(from, to int) (texts []string) {
	for i := from; i <= to; i++ {
		texts = append(texts, strconv.Itoa(i))
	}
	return texts
}
