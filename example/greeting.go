package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// greeting is what the service says when it is ready.
type greeting struct {
	base     string // the URL that the service is at
	resource uint64 // one that waits for approval, or the next one to be created
}

// greet finds out what to say, so that the commands in it work when pasted.
func (a *app) greet(ctx context.Context, base string) (greeting, error) {
	var r Resource
	db := a.db.WithContext(ctx)
	err := db.Where("state = ?", Requested).Order("id").Take(&r).Error
	if err == nil {
		return greeting{base, r.ID}, nil
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = db.Unscoped().Order("id DESC").Limit(1).Find(&r).Error
	}
	return greeting{base, r.ID + 1}, err
}

// String is the greeting as it is printed.
func (g greeting) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nInfraKitchen in miniature. Its audit log:\n\n    %s/audit\n\nAccounts (name, password):\n\n", g.base)
	for _, a := range accounts {
		fmt.Fprintf(&b, "    %-10s %-8s  %s\n", a.id, a.password, a.may)
	}
	fmt.Fprint(&b, "\nTry these, then look again:\n\n")
	for _, command := range g.commands() {
		fmt.Fprintf(&b, "    %s\n", command)
	}
	fmt.Fprintf(&b, "\nThe last one begins a job, the first in this list. Open it to watch its log:\n\n    %s\n\n", g.executed())
	fmt.Fprint(&b, "Press Ctrl-C to stop.\n\n")
	return b.String()
}

// executed is the list of the jobs that were begun, the last one first.
func (g greeting) executed() string { return g.base + "/audit/?event=execute" }

// commands are three commands to try, in this order.
func (g greeting) commands() []string {
	requester, approver := accounts[0], accounts[1]
	return []string{
		fmt.Sprintf(`curl -u %s:%s -d '{"name": "night-oven", "variables": {"size": "small"}}' %s/api/resources`,
			requester.id, requester.password, g.base),
		fmt.Sprintf(`curl -u %s:%s -X POST %s/api/resources/%d/approve`,
			approver.id, approver.password, g.base, g.resource),
		fmt.Sprintf(`curl -u %s:%s -X POST %s/api/resources/%d/execute`,
			requester.id, requester.password, g.base, g.resource),
	}
}
