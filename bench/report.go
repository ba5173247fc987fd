package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// report collects what is printed in the end: the numbers that have a bound,
// then the tables that they come from.
type report struct {
	checks []check
	detail strings.Builder
}

// check is a number with a bound. Its second value may be absent.
type check struct {
	what string
	bound
	values  [2]float64 // outside of any action, and in one
	limit   float64    // zero if there is none
	decimal int
	// cpu is the ratio of processor time, to check ratios of time on a machine
	// with other load. Zero if there is none.
	cpu [2]float64
}

func (r *report) add(c check) { r.checks = append(r.checks, c) }

func (r *report) printf(format string, args ...any) { _, _ = fmt.Fprintf(&r.detail, format, args...) }

// print writes the report as Markdown.
func (r *report) print(w io.Writer) error {
	var b strings.Builder
	if len(r.checks) > 0 {
		b.WriteString("## Results against targets\n\n| |acceptance|goal|audited|in an action|one statement by hand|CPU: audited|CPU: in an action| |\n|---|---:|---:|---:|---:|---:|---:|---:|---|\n")
	}
	for _, c := range r.checks {
		number := func(f float64) string { return fmt.Sprintf("%.*f", c.decimal, f) }
		limit := ""
		if c.limit > 0 {
			limit = number(c.limit)
		}
		action := ""
		if c.values[1] != absent {
			action = number(c.values[1])
		}
		var cpu [2]string
		for i, f := range c.cpu {
			if f > 0 {
				cpu[i] = number(f)
			}
		}
		fmt.Fprintf(&b, "|%s|%s|%s|%s|%s|%s|%s|%s|%s|\n", c.what, number(c.acceptance), number(c.goal),
			number(c.values[0]), action, limit, cpu[0], cpu[1], c.verdict())
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String()+r.detail.String())
	return err
}

// absent is the value of a check that does not distinguish between inside and
// outside an action.
const absent = -1 << 30

// verdict says whether the worse of the values is within the bounds.
func (c check) verdict() string {
	worst := max(c.values[0], c.values[1])
	switch {
	case worst <= c.goal:
		return "goal reached"
	case worst <= c.acceptance:
		return "accepted"
	default:
		return "**not reached**"
	}
}

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f", float64(d)/float64(time.Microsecond))
}

// table writes what an operation took, a line for each variant.
func (r *report) table(o operation, variants []*variant, samples map[*variant]*sample) {
	base := samples[variants[0]]
	counted := variants[0].wire != nil
	r.printf("### %s: %s\n\n", o.name, o.what)
	r.printf("|variant|ratio|quiet quartile|CPU ratio|median µs|client CPU µs|allocations|")
	if counted {
		r.printf("server CPU µs|round trips|bytes sent|WAL bytes|")
	}
	r.printf("entries|\n|---|---:|---:|---:|---:|---:|---:|---:|")
	if counted {
		r.printf("---:|---:|---:|---:|")
	}
	r.printf("\n")
	for _, v := range variants {
		s, ok := samples[v]
		if !ok {
			continue
		}
		r.printf("|%s|%.2f|%.2f|%.2f|%s|%s|%.0f|", v.name, ratio(median(s.wall), median(base.wall)),
			ratio(quiet(s.wall), quiet(base.wall)), ratio(s.cpu(), base.cpu()), microseconds(median(s.wall)), microseconds(median(s.client)), s.allocations)
		if counted {
			server := "–"
			if len(s.server) > 0 {
				server = microseconds(median(s.server))
			}
			r.printf("%s|%.1f|%.0f|%.0f|", server, s.trips, s.sent, s.wal)
		}
		r.printf("%.0f|\n", s.left)
	}
	r.printf("\n")
}

// ratios writes a line for each operation with the ratio of each variant.
func (r *report) ratios(title string, variants []*variant, lines []string, times []map[*variant][]time.Duration) {
	r.printf("### %s\n\n|operation|base µs|", title)
	for _, v := range variants {
		r.printf("%s|", v.name)
	}
	r.printf("\n|---|---:|%s\n", strings.Repeat("---:|", len(variants)))
	for i, line := range lines {
		base := median(times[i][variants[0]])
		r.printf("|%s|%s|", line, microseconds(base))
		for _, v := range variants {
			r.printf("%.2f|", ratio(median(times[i][v]), base))
		}
		r.printf("\n")
	}
	r.printf("\n")
}
