/* A page for people: a table of the services and the last events, renewed every 2 s. It
 * loads nothing but the API, and writes what it is told by textContent, so that no name
 * can become part of the page.
 *
 * Style and script are let in by their hashes: `tests/real/test_responder.py` has the new
 * ones to say when they are changed. */
#include "probes/site.h"

const char dashboard_headers[] =
    "Content-Security-Policy: default-src 'none'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; "
    "style-src 'sha256-0sRaNGNg1sD+lF9VXNFe9xCy5K8CXGCGSSDmMt1CijI='; "
    "script-src 'sha256-PB+yeAQOAyYC9qx1rAiuYuxV4Z1yBf0Bh+UZm8btVKA='\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n";

/* clang-format off: a line of the page is one of the source */
const char dashboard_page[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><title>sinit</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>"
    "body{font:14px system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #8884}"
    ".good{color:#187a2f}.busy{color:#9a6700}.bad{color:#c1121f}.off{color:#777}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}"
    ".good{color:#5fce7d}.busy{color:#e3b341}.bad{color:#ff7b72}}"
    "</style></head><body>\n"
    "<h1>sinit</h1><p id=\"top\" role=\"status\">loading</p>\n"
    "<table><thead><tr><th>Service<th>State<th>Ready<th>Startup<th>Liveness<th>Readiness"
    "<th>Uptime<th>CPU<th>Memory<th>Restarts<th>Reason</tr></thead><tbody "
    "id=\"services\"></tbody></table>\n"
    "<h2>Events</h2>\n"
    "<table><tbody id=\"events\"></tbody></table>\n"
    "<script>"
    "'use strict';"
    "const api='/api/supervisor/',$=id=>document.getElementById(id),"
    "looks={running:'good',done:'good',failed:'bad',fatal:'bad',stopped:'off',"
    "passing:'good',failing:'bad'};"
    "function row(cells){const tr=document.createElement('tr');"
    "for(const c of cells){const td=document.createElement('td');"
    "td.textContent=c==null?'':c;if(looks[c])td.className=looks[c];"
    "else if(c==='backoff'||/ing$/.test(c))td.className='busy';"
    "tr.append(td)}return tr}"
    "function time(s){if(s==null)return'';s=Math.floor(s);"
    "const d=Math.floor(s/86400),h=Math.floor(s/3600)%24,m=Math.floor(s/60)%60;"
    "return d?d+'d '+h+'h':h?h+'h '+m+'m':m?m+'m '+s%60+'s':s+'s'}"
    "const last=new Map();"
    "function use(v){const r=v.resources;if(!r)return['',''];"
    "const m=r.memory.current,c=r.cpu.usage_seconds,l=last.get(v.name),"
    "t=performance.now()/1000-r.measured_seconds_ago;last.set(v.name,[t,c]);"
    "return[l&&c!=null&&c>=l[1]&&t>l[0]?((c-l[1])/(t-l[0])*100).toFixed(1)+' %':'',"
    "m==null?'':(m/1048576).toFixed(1)+' MiB']}"
    "async function get(path){const r=await fetch(api+path);"
    "if(!r.ok)throw new Error('HTTP '+r.status);return r.json()}"
    "async function renew(){try{"
    "const[s,e]=await Promise.all([get('status'),get('events?limit=20')]),i=s.sinit;"
    "$('top').textContent='version '+i.version+', '+i.state+', pid '+i.pid+', up '+"
    "time(i.uptime_seconds);"
    "$('top').className='';"
    "$('services').replaceChildren(...s.services.map(v=>row([v.name,v.state+(v.paused?' "
    "(paused)':''),"
    "v.ready?'yes':'no',v.startup,v.liveness,v.readiness,time(v.uptime_seconds),"
    "...use(v),v.restarts,v.reason])));"
    "$('events').replaceChildren(...e.events.reverse().map(v=>row([v.time,v.service||"
    "'sinit',v.event,v.message])))"
    "}catch(x){$('top').textContent='no answer: '+x.message;$('top').className='bad'}"
    "setTimeout(renew,2000)}"
    "renew();"
    "</script></body></html>\n";
/* clang-format on */
