"""Programs that train the articles' nets with other libraries; none of them imports rungwise."""
