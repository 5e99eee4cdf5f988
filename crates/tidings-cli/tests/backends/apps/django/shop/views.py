import hashlib
import threading

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponsePermanentRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render

GREETING = "Welcome"
gone_on = threading.Event()


class Note(forms.Form):
    text = forms.CharField(min_length=3)


def home(request):
    return render(request, "home.html", {"greeting": GREETING})


@login_required
def notes(request):
    form = Note(request.POST or None)
    if request.method == "POST" and form.is_valid():
        request.session["notes"] = request.session.get("notes", []) + [form.cleaned_data["text"]]
        return redirect("/notes/")
    return render(request, "notes.html", {"form": form, "notes": request.session.get("notes", [])})


def slow(request):
    """The first part at once, the rest when /slow/go/ has been asked for."""
    gone_on.clear()

    def parts():
        yield "<!doctype html><title>slow</title><p id=first>first</p>"
        gone_on.wait(60)
        yield "<p id=rest>rest</p>"

    return StreamingHttpResponse(parts())


def go_on(request):
    gone_on.set()
    return HttpResponse(status=204)


def broken(request):
    return HttpResponse("<!doctype html><p id=sum>%d</p>" % (1 / 0))


def upload(request):
    if request.method == "POST":
        file = request.FILES["file"]
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        return HttpResponse(f"<!doctype html><p id=got>{file.name} {file.size} {digest.hexdigest()}</p>")
    return render(request, "upload.html")


def old(request):
    # Absolute on purpose: the name that the application believes to have.
    return HttpResponsePermanentRedirect(request.build_absolute_uri("/"))
