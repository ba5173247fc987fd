package main

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit"
)

// routes says what is served where. Nothing here mentions auditing: the verbs
// and models of actions are derived from the routes by convention.
func (a *app) routes(router *gin.Engine, pages http.Handler) {
	api := router.Group("/api")

	crud[Integration](a, api.Group("/integrations"))
	api.POST("/integrations/:id/enable", a.reply(toggle[Integration](a, true)))
	api.POST("/integrations/:id/disable", a.reply(toggle[Integration](a, false)))

	crud[SourceCode](a, api.Group("/source_codes"))
	api.POST("/source_codes/:id/sync", a.reply(a.sync))

	crud[Template](a, api.Group("/templates"))
	api.POST("/templates/:id/enable", a.reply(toggle[Template](a, true)))
	api.POST("/templates/:id/disable", a.reply(toggle[Template](a, false)))

	crud[Resource](a, api.Group("/resources"))
	resource := api.Group("/resources/:id")
	resource.POST("/approve", a.only("approver", "admin"), a.reply(a.decide(Approved)))
	resource.POST("/reject", a.only("approver", "admin"), a.reply(a.decide(Rejected)))
	resource.POST("/dryrun", a.reply(a.dryrun))
	for _, event := range []audit.Event{audit.Execute, audit.Retry, audit.Recreate, audit.Destroy} {
		resource.POST("/"+string(event), a.reply(a.provision(event)))
	}

	router.GET("/", func(c *gin.Context) { c.Redirect(http.StatusSeeOther, "/audit/") })
	router.GET("/audit/*path", gin.WrapH(pages))
	router.HEAD("/audit/*path", gin.WrapH(pages))
	router.NoRoute(func(c *gin.Context) { a.fail(c, missing("no such route")) })
	router.NoMethod(func(c *gin.Context) {
		a.fail(c, &problem{http.StatusMethodNotAllowed, "this route does not support the method " + c.Request.Method})
	})
}
