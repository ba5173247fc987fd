package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/infrakitchen/audit/trail"
)

// Stopped in the middle of jobs, the service tells each, and each says in the
// trail that it was interrupted.
func TestStopInTheMiddleOfJobs(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		running := goleak.IgnoreCurrent()
		s := start(t, config{db: at, empty: true, pace: time.Hour})
		row := s.create(requester, "/api/resources", `{"name": "menus"}`)
		code := s.create(requester, "/api/source_codes", `{"name": "modules", "url": "https://git.example.com/m.git"}`)
		s.must(approver, "POST", row+"/approve", "", 200)
		dryrun := s.must(requester, "POST", row+"/dryrun", "", 202).trace(t)
		execute := s.must(requester, "POST", row+"/execute", "", 202).trace(t)
		sync := s.must(requester, "POST", code+"/sync", "", 202).trace(t)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		goleak.VerifyNone(t, running)

		db := database(t, at)
		for name, trace := range map[string]uuid.UUID{"dryrun": dryrun, "execute": execute, "sync": sync} {
			e := own(t, db, trace, false)
			if e.Result != trail.Failure || e.Finished == nil || e.Finished.Error != "interrupted" {
				t.Errorf("%s: %s, %+v; want a failure: interrupted", name, e.Result, e.Finished)
			}
		}
		var r Resource
		var c SourceCode
		if err := errors.Join(db.First(&r).Error, db.First(&c).Error); err != nil {
			t.Fatal(err)
		}
		if r.State != Failed || r.Problem != "interrupted" || c.State != SyncFailed || c.Problem != "interrupted" {
			t.Errorf("the resource is %s (%s), the source code %s (%s)", r.State, r.Problem, c.State, c.Problem)
		}
		if !strings.Contains(s.out.String(), "Interrupt received") {
			t.Errorf("no line of the interrupt in\n%s", s.out)
		}
	})
}

// Killed in the middle of jobs, the service leaves actions that never ended;
// the next start puts the rows right, as an action of its own.
func TestStartAfterCrash(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		p := startProcess(t, "-db", at, "-empty", "-pace", "1h")
		s := &service{greeting: greeting{base: p.base}, t: t, client: p.client()}
		row := s.create(requester, "/api/resources", `{"name": "menus"}`)
		code := s.create(requester, "/api/source_codes", `{"name": "modules", "url": "https://git.example.com/m.git"}`)
		s.must(approver, "POST", row+"/approve", "", 200)
		execute := s.must(requester, "POST", row+"/execute", "", 202).trace(t)
		sync := s.must(requester, "POST", code+"/sync", "", 202).trace(t)
		p.kill()

		s = start(t, config{db: at})
		if state := s.must(requester, "GET", row, "", 200).row["state"]; state != "failed" {
			t.Errorf("the resource is %v", state)
		}
		if state := s.must(requester, "GET", code, "", 200).row["state"]; state != "failed" {
			t.Errorf("the source code is %v", state)
		}
		db := database(t, at)
		for _, trace := range []uuid.UUID{execute, sync} {
			if e := own(t, db, trace, false); e.Result != trail.Pending {
				t.Errorf("%s, whose end nobody saw, is %s", e.Event, e.Result)
			}
		}
		recovered := ""
		for _, e := range entries(t, db) {
			if e.Event == Recover {
				recovered += e.Model + " " + e.EntityID + " " + string(e.Operation) + " by " + string(e.Actor.Kind) + "; "
			}
		}
		if want := "resource 1 update by system; source_code 1 update by system; "; recovered != want {
			t.Errorf("recovered: %q, want %q", recovered, want)
		}
		s.must(requester, "POST", row+"/retry", "", 202)
		s.until(row, "provisioned")
	})
}

// An interrupt ends the process in the middle of a job, with the code 0.
func TestInterrupt(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		p := startProcess(t, "-db", at, "-empty", "-pace", "1h")
		s := &service{greeting: greeting{base: p.base}, t: t, client: p.client()}
		code := s.create(requester, "/api/source_codes", `{"name": "modules", "url": "https://git.example.com/m.git"}`)
		sync := s.must(requester, "POST", code+"/sync", "", 202).trace(t)
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := p.wait(); err != nil {
			t.Errorf("the process ended with %v", err)
		}
		if e := own(t, database(t, at), sync, false); e.Result != trail.Failure {
			t.Errorf("the job that was interrupted is %s", e.Result)
		}
	})
}

// Stopped in the middle of the tour, the service leaves nothing half done.
func TestStopInTheMiddleOfTheTour(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		running := goleak.IgnoreCurrent()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := &output{}
		seen := writerFunc(func(b []byte) (int, error) {
			if strings.Contains(string(b), "/sync") {
				cancel()
			}
			return out.Write(b)
		})
		ready := func(g greeting) { t.Errorf("a service that was stopped said that it is ready: %s", g) }
		if err := serve(ctx, config{addr: "127.0.0.1:0", db: at, tour: time.Hour}, seen, ready); err != nil {
			t.Fatal(err)
		}
		goleak.VerifyNone(t, running)
		if !strings.Contains(out.String(), "tour: stopped after ") {
			t.Errorf("no word of the end of the tour in\n%s", out)
		}

		db := database(t, at)
		interrupted := false
		for _, e := range entries(t, db) {
			if e.Result == trail.Pending {
				t.Errorf("%s %s %s never ended", e.Event, e.Model, e.EntityID)
			}
			interrupted = interrupted || e.Event == trail.Sync && e.Finished != nil && e.Finished.Error == "interrupted"
		}
		if !interrupted {
			t.Error("the job that was running is not recorded as interrupted")
		}
		var busy int64
		if err := db.Model(&SourceCode{}).Where("state = ?", Syncing).Count(&busy).Error; err != nil {
			t.Fatal(err)
		}
		if busy != 0 {
			t.Errorf("%d source codes are in the middle of a sync", busy)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
