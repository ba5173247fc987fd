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
package trail
