package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/viewer"
)

// account is somebody who may use the service. A real service keeps its users,
// and certainly their passwords, elsewhere.
type account struct {
	id, name, password string
	may                string // in words, for the greeting
}

var accounts = []account{
	{"requester", "Rosa Lind", "please", "requests resources and runs them"},
	{"approver", "Aron Berg", "granted", "also approves and rejects them"},
	{"admin", "Ada Holm", "kitchen", "does everything"},
}

var errCredentials = errors.New("wrong account or password")

// find returns the account of the request's BasicAuth credentials. It takes the
// same time whatever is wrong with them.
func find(r *http.Request) (account, error) {
	id, password, _ := r.BasicAuth()
	given := digest(id, password)
	var found *account
	for i := range accounts {
		own := digest(accounts[i].id, accounts[i].password)
		if subtle.ConstantTimeCompare(own[:], given[:]) == 1 {
			found = &accounts[i]
		}
	}
	if found == nil {
		return account{}, errCredentials
	}
	return *found, nil
}

func digest(id, password string) [sha256.Size]byte {
	return sha256.Sum256([]byte(id + "\x00" + password))
}

// authenticate resolves the actor of a request. What it refuses is answered
// with 401 and recorded as denied.
func authenticate(c *gin.Context) (audit.Actor, error) {
	who, err := find(c.Request)
	if err != nil {
		c.Header("WWW-Authenticate", `Basic realm="InfraKitchen in miniature", charset="UTF-8"`)
		return audit.Actor{}, err
	}
	c.Set(gin.AuthUserKey, who.id)
	return audit.Actor{ID: who.id, Name: who.name}, nil
}

// mayRead says who may read the trail: here, every account.
func mayRead(r *http.Request) error {
	if _, err := find(r); err != nil {
		return fmt.Errorf("%w: %w", viewer.ErrUnauthenticated, err)
	}
	return nil
}

// only allows the accounts with these ids, and nobody else.
func (a *app) only(ids ...string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if user := c.GetString(gin.AuthUserKey); !slices.Contains(ids, user) {
			a.fail(c, &problem{http.StatusForbidden, user + " may not do this"})
		}
	}
}

var crossOrigin = http.NewCrossOriginProtection()

// sameOrigin refuses requests that other sites make a browser send, which adds
// the credentials by itself.
func sameOrigin(c *gin.Context) {
	if err := crossOrigin.Check(c.Request); err != nil {
		_ = c.Error(err)
		c.AbortWithStatusJSON(http.StatusForbidden, gin.H{"error": err.Error()})
	}
}
