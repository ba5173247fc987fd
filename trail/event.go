package trail

// Event is the verb of an action: what its actor did. The events below are
// known to every part of the library; an application may use its own, any
// non-empty text, by convention in lower snake case.
type Event string

// The events of InfraKitchen, and the restore of a soft-deleted row.
const (
	Create   Event = "create"
	Update   Event = "update"
	Delete   Event = "delete"
	Execute  Event = "execute"
	Approve  Event = "approve"
	Reject   Event = "reject"
	Destroy  Event = "destroy"
	Recreate Event = "recreate"
	Retry    Event = "retry"
	Sync     Event = "sync"
	Enable   Event = "enable"
	Disable  Event = "disable"
	Dryrun   Event = "dryrun"
	Restore  Event = "restore"
)

// Events returns the events known to the library, in the order in which they
// are documented. The caller owns the slice.
func Events() []Event {
	return []Event{
		Create, Update, Delete, Execute, Approve, Reject, Destroy, Recreate,
		Retry, Sync, Enable, Disable, Dryrun, Restore,
	}
}

// Known reports whether e is one of [Events].
func (e Event) Known() bool {
	switch e {
	case Create, Update, Delete, Execute, Approve, Reject, Destroy, Recreate,
		Retry, Sync, Enable, Disable, Dryrun, Restore:
		return true
	default:
		return false
	}
}

// Moment returns when an action with this event is recorded unless the action
// sets its own moment: [Ahead] for execute, destroy, recreate, retry, sync and
// dryrun, whose work happens outside the database, and [WithChange] for all
// others, including an application's own events.
func (e Event) Moment() Moment {
	switch e {
	case Execute, Destroy, Recreate, Retry, Sync, Dryrun:
		return Ahead
	default:
		return WithChange
	}
}

// Moment is when an action's own entry is written.
type Moment uint8

const (
	// ByEvent, the zero value, leaves the choice to [Event.Moment].
	ByEvent Moment = iota
	// WithChange writes the entry in the transaction of the first row that
	// the action changes in its own entity. An action that changes none is
	// recorded when it ends.
	WithChange
	// Ahead writes the entry, with the outcome [Pending], before the action
	// begins. If that fails the action does not begin.
	Ahead
)
