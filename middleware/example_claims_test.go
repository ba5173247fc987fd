package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
)

// authenticate stands for the application's JWT middleware: it verifies the token
// and leaves its claims in gin's context. Without a token it leaves none.
func authenticate(c *gin.Context) {
	if c.GetHeader("Authorization") == "Bearer a-token" {
		c.Set("claims", map[string]any{"sub": "u-42", "name": "Una Field", "tenant": "acme"})
	}
}

// The user is taken from the claims of a JWT, and the tenant too. A request
// without claims is answered with 401 and recorded as denied.
func ExampleUserFromClaims() {
	router := gin.New()
	router.Use(
		authenticate,
		middleware.New(
			middleware.WithUser(middleware.UserFromClaims("claims", middleware.Claims{})), // of "sub" and "name"
			middleware.WithTenant(func(c *gin.Context) string {
				claims, _ := c.Value("claims").(map[string]any)
				tenant, _ := claims["tenant"].(string)
				return tenant
			}),
			middleware.WithRecorder(printer{}),
		),
	)
	router.POST("/ovens", func(c *gin.Context) { c.Status(http.StatusCreated) })

	for _, token := range []string{"Bearer a-token", ""} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/ovens", http.NoBody)
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		fmt.Println("  answered with", w.Code)
	}
	// Output:
	// Una Field create oven  - success
	//   answered with 201
	// anonymous create oven  - denied
	//   ended as denied 401
	//   answered with 401
}
