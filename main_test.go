package audit_test

import (
	"os"
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"
)

// TestMain runs the tests, or what a test has started this binary again for:
// see processes_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	gin.SetMode(gin.TestMode)
	goleak.VerifyTestMain(m,
		// GORM's cache of prepared statements has a goroutine that nothing ends.
		goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}
