package trail

// ActorKind is the kind of an actor.
type ActorKind string

// The kinds of actors.
const (
	KindUser      ActorKind = "user"      // an authenticated person
	KindService   ActorKind = "service"   // another program
	KindSystem    ActorKind = "system"    // this program itself
	KindAnonymous ActorKind = "anonymous" // somebody unauthenticated
)

// Actor is who did something. ID identifies it permanently; Name is what people
// called it at that moment. OnBehalfOf is the id of the person whom the actor
// impersonates, or empty.
type Actor struct {
	ID, Name   string
	Kind       ActorKind
	OnBehalfOf string
}

// Anonymous is the actor of an unauthenticated request.
func Anonymous() Actor {
	return Actor{ID: "anonymous", Name: "anonymous", Kind: KindAnonymous}
}

// Unknown is the actor of a change that was made outside any action.
func Unknown() Actor {
	return Actor{ID: "unknown", Name: "unknown", Kind: KindSystem}
}

// Limits of an actor's text, in characters. Longer text is cut.
const (
	maxActorID   = 256
	maxActorName = 256
)

// Normalize returns the actor as it is stored: an empty or unknown kind becomes
// [KindUser], an actor without id and name becomes [Unknown] (or [Anonymous], if
// that is its kind), an empty name becomes the id, and both are made printable
// and at most 256 characters long.
func (a Actor) Normalize() Actor {
	switch a.Kind {
	case "", KindUser, KindService, KindSystem, KindAnonymous:
	default:
		a.Kind = KindUser
	}
	if a.ID == "" && a.Name == "" {
		u := Unknown()
		if a.Kind == KindAnonymous {
			u = Anonymous()
		} else if a.Kind != "" {
			u.Kind = a.Kind
		}
		u.OnBehalfOf = Printable(a.OnBehalfOf, maxActorID)
		return u
	}
	if a.ID == "" {
		a.ID = a.Name
	}
	if a.Name == "" {
		a.Name = a.ID
	}
	if a.Kind == "" {
		a.Kind = KindUser
	}
	a.ID = Printable(a.ID, maxActorID)
	a.Name = Printable(a.Name, maxActorName)
	a.OnBehalfOf = Printable(a.OnBehalfOf, maxActorID)
	return a
}
