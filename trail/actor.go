package trail

import "cmp"

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

// Normalize returns the actor as it is stored. Without an id and a name it is
// [Anonymous] if that is its kind, else [Unknown] with its own kind if it has one.
// An empty id becomes the name, an empty name the id, a kind that is empty or not
// one of the four becomes [KindUser]. ID, Name and OnBehalfOf are made printable
// (see [Printable]) and at most 256 characters long.
func (a Actor) Normalize() Actor {
	nobody := Unknown()
	switch a.Kind {
	case KindAnonymous:
		nobody = Anonymous()
	case KindUser, KindService, KindSystem:
		nobody.Kind = a.Kind
	case "":
		a.Kind = KindUser
	default:
		a.Kind, nobody.Kind = KindUser, KindUser
	}
	if a.ID == "" && a.Name == "" {
		a.ID, a.Name, a.Kind = nobody.ID, nobody.Name, nobody.Kind
	}
	a.ID, a.Name = cmp.Or(a.ID, a.Name), cmp.Or(a.Name, a.ID)
	a.ID = Printable(a.ID, maxActorID)
	a.Name = Printable(a.Name, maxActorName)
	a.OnBehalfOf = Printable(a.OnBehalfOf, maxActorID)
	return a
}
