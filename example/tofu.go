package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/trail"
)

// tofu is what OpenTofu would print for a run of the resource.
func tofu(r *Resource) script {
	s := initialized(r)
	if r.LastRun == audit.Destroy || r.LastRun == audit.Recreate {
		s.say(address(r) + ": Destroying...")
		if r.LastRun == audit.Destroy && r.fails() {
			s.fail(errors.New("the resource is still in use"))
			return s
		}
		s.say(address(r) + ": Destruction complete after 1s")
	}
	if r.LastRun == audit.Destroy {
		s.say(green + bold + "Destroy complete! Resources: 1 destroyed." + reset)
		return s
	}
	s.say(address(r) + ": Creating...")
	if r.fails() {
		s.fail(errors.New("creating " + address(r) + ": the quota of the account is exceeded"))
		return s
	}
	s.say(address(r)+": Creation complete after 2s",
		green+bold+"Apply complete! Resources: 1 added, 0 changed, 0 destroyed."+reset)
	return s
}

// plan is what OpenTofu would print for a dryrun of the resource.
func plan(r *Resource) script {
	s := initialized(r)
	mark := green + "  +" + reset
	if r.State == Provisioned {
		mark = yellow + "  ~" + reset
	}
	s.say(mark + ` resource "kitchen_resource" "` + label(r) + `" {`)
	for _, name := range slices.Sorted(maps.Keys(r.Variables)) {
		s.say(mark + trail.Printable(fmt.Sprintf("   %s = %s", name, r.Variables[name]), 200))
	}
	s.say("    }", bold+"Plan: "+reset+summary(r)+".")
	return s
}

// summary is what a dryrun of the resource finds.
func summary(r *Resource) string {
	if r.State == Provisioned {
		return "0 to add, 1 to change, 0 to destroy"
	}
	return "1 to add, 0 to change, 0 to destroy"
}

func initialized(r *Resource) script {
	var s script
	s.say(bold+"Initializing the backend..."+reset, "Initializing provider plugins...",
		green+"OpenTofu has been successfully initialized!"+reset)
	if r.TemplateID != nil {
		s.say(fmt.Sprintf("Using template %d for resource %d", *r.TemplateID, r.ID))
	}
	return s
}

func address(r *Resource) string { return "kitchen_resource." + label(r) }

// label returns a name in the style of OpenTofu's identifiers.
func label(r *Resource) string {
	return strings.NewReplacer(" ", "_", ".", "_").Replace(strings.ToLower(r.Name))
}

// fetch is what git would print for a sync. A host that ends in .invalid, which
// RFC 2606 reserves, cannot be reached.
func fetch(s *SourceCode) script {
	var git script
	git.say("Cloning " + s.URL + ", branch " + bold + s.Branch + reset)
	if u, err := url.Parse(s.URL); err != nil || strings.HasSuffix(u.Hostname(), ".invalid") {
		git.fail(errors.New("could not resolve the host of " + s.URL))
		return git
	}
	git.say("remote: Enumerating objects: 214, done.",
		"Receiving objects: 100% (214/214), 61.20 KiB, done.",
		green+"HEAD is now at "+s.commit()+reset)
	return git
}
