// Package trail defines the types of the audit trail, and the context that
// carries them through a program.
//
// An [Action] is one [Actor] doing one [Event] to one entity: an HTTP request,
// a job run, a call of a command-line tool. [Start] begins one and puts its
// [Trace] into the context, where every part of the program finds it:
// the GORM plugin that writes an [Entry] for each row that changes, the logger
// that stamps each line, and any code that asks for [TraceID].
//
// The package promises that every trace id resolves to its action. The id is
// made when the action starts, and exactly one entry with that id is written,
// at one of three moments:
//
//   - with the change ([WithChange]): the first row that the action changes in
//     its own entity is the action, written in the change's own transaction;
//   - before ([Ahead]): before work that happens outside the database begins,
//     with the outcome [Pending];
//   - after: by [Trace.End], if neither of the two took place. If the process is
//     killed before, entries of other rows that the action changed stay behind
//     without it.
//
// The package needs only the standard library and google/uuid, so that whatever
// writes, reads or carries the trail can build on it.
//
// # What applications use
//
// [Start] and [Trace.End] for jobs, workers and command-line tools; [Action],
// [Actor], the events and [ErrDenied] to say what is done; [FromContext] and
// [TraceID] to know the current action; [Trace.Annotate], [Trace.Identify] and
// [Trace.SetTenant] for what is known only later; [Skip] for writes that are not
// audited; [Inject] and [Extract] to carry a trace through a queue; [SetDefault]
// to choose where actions are stored; [Entry], [Outcome] and [Line] to read what
// was stored.
//
// # For recorders and plugins
//
// The rest is what the other packages are made of. An application needs none of
// it, unless it stores the trail elsewhere: [Recorder] and [LineWriter], which
// store; [Scope], [Options], [Source], [Spanner] and [LateReporter], by which the
// middleware opens a trace; [Trace.Claim] and [Claim], [Trace.Committed],
// [Trace.RolledBack], [Trace.BeforeWrite], [Trace.Release], [Trace.Open] and
// [Trace.Own], by which the GORM plugin writes an action's own entry;
// [SetDefaultIfUnset], [NewID], [Time], [Plausible], [JoinKey], [Printable],
// [Sensitive] and [MaskText].
package trail
