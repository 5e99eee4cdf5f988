from django.contrib.auth.views import LoginView
from django.urls import path

from shop import views

urlpatterns = [
    path("", views.home),
    path("accounts/login/", LoginView.as_view()),
    path("notes/", views.notes),
    path("slow/", views.slow),
    path("slow/go/", views.go_on),
    path("broken/", views.broken),
    path("upload/", views.upload),
    path("old/", views.old),
]
