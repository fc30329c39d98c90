// The style and the script of a report. The script reads curves from the pictures themselves: their points and the axes, which stand in
// data-x and data-y as low, high, place of low, place of high, logarithmic.
#include "inspect/run_log.h"

namespace tapegrad::inspect {

const char* const kStyle = R"css(
:root{--page:#fff;--ink:#1c1e21;--soft:#5f6670;--line:#e1e4e8;--card:#f7f8fa;--warn:#8a4b00;color-scheme:light}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){--page:#14161a;--ink:#e6e8eb;--soft:#9aa3ad;--line:#30353c;--card:#1c1f25;--warn:#ffb454;color-scheme:dark}}
:root[data-theme=dark]{--page:#14161a;--ink:#e6e8eb;--soft:#9aa3ad;--line:#30353c;--card:#1c1f25;--warn:#ffb454;color-scheme:dark}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]) :is(.curve,.key line){filter:brightness(1.35)}}
:root[data-theme=dark] :is(.curve,.key line){filter:brightness(1.35)}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1360px;margin:auto;padding:16px 20px 60px}
h1{font-size:22px;margin:8px 0}h2{font-size:17px;margin:28px 0 8px}h3{font-size:15px;margin:16px 0 6px}
.bar{position:sticky;top:0;z-index:2;background:var(--page);border-bottom:1px solid var(--line);padding:8px 20px;display:flex;gap:18px;align-items:center;flex-wrap:wrap}
.bar b{margin-right:auto;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;max-width:100%}
button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:2px 12px;cursor:pointer}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:14px}
.runs{display:grid;grid-template-columns:repeat(var(--runs),minmax(0,1fr));gap:20px}
@media (max-width:900px){.runs{grid-template-columns:minmax(0,1fr)}}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px;min-width:0}
svg.plot{width:100%;height:auto;display:block}
:not(.grid2)>.card+.card{margin-top:14px}
@media (max-width:600px){svg.plot{min-width:560px}.card{overflow-x:auto}}
.ink{fill:var(--ink)}.soft{fill:var(--soft)}svg .grid{stroke:var(--line)}
.key{cursor:pointer}.off{opacity:.25}.series.off{display:none}
table{border-collapse:collapse;font-size:13px;width:100%}
.scroll{overflow-x:auto}
th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid var(--line);white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.wrap{white-space:normal;overflow-wrap:anywhere}
.share{display:inline-block;height:9px;background:#56b4e9;vertical-align:baseline;margin-right:6px}
pre{font:12px/1.45 ui-monospace,monospace;overflow-x:auto;margin:0}
.note{border-left:4px solid var(--warn);padding:4px 10px;margin:6px 0;background:var(--card);overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--soft);margin:8px 0}
#tip{position:fixed;pointer-events:none;background:var(--page);border:1px solid var(--line);border-radius:6px;padding:5px 9px;font-size:12px;display:none;z-index:3;box-shadow:0 2px 8px #0003}
@media print{:root,:root[data-theme=dark],:root:not([data-theme=light]){--page:#fff;--ink:#000;--soft:#444;--line:#ccc;--card:#fff;color-scheme:light}.bar{display:none}.card{break-inside:avoid}main{max-width:none;padding:0}}
)css";

const char* const kScript = R"js(
(()=>{'use strict';
const $=(s,e=document)=>[...e.querySelectorAll(s)],root=document.documentElement;
const axis=(t)=>{const[l,h,a,b,g]=t.split(',').map(Number);const f=g?Math.log10:v=>v,i=g?v=>10**v:v=>v;
  return{back:p=>i(f(l)+(p-a)/(b-a)*(f(h)-f(l)))}};
const parse=d=>d.split('M').slice(1).map(s=>s.split('L').map(p=>p.split(' ').map(Number)));
const draw=r=>r.map(s=>'M'+s.map(p=>p[0].toFixed(1)+' '+p[1].toFixed(1)).join('L')).join('');
for(const c of $('.curve')){c.runs=parse(c.getAttribute('d'));c.shown=c.runs}
const smooth=w=>{for(const c of $('.curve')){c.shown=c.runs.map(r=>{let m=0,n=0;return r.map(p=>{m=w*m+(1-w)*p[1];n=w*n+1-w;return[p[0],m/n]})});
  if(w===0)c.shown=c.runs;c.setAttribute('d',draw(c.shown));
  let raw=c.raw;if(w>0&&!raw){raw=c.raw=c.cloneNode();raw.classList.remove('curve');raw.setAttribute('stroke-opacity','.25');raw.setAttribute('d',draw(c.runs));c.before(raw)}
  if(raw)raw.style.display=w>0?'':'none'}};
const slider=document.getElementById('smooth');if(slider)slider.oninput=()=>smooth(+slider.value);
for(const k of $('.key'))k.onclick=()=>{k.classList.toggle('off');
  for(const s of $('.series',k.closest('svg')))if(s.dataset.name===k.dataset.name)s.classList.toggle('off')};
const dark=()=>root.dataset.theme?root.dataset.theme==='dark':matchMedia('(prefers-color-scheme:dark)').matches;
const button=document.getElementById('theme');if(button)button.onclick=()=>{root.dataset.theme=dark()?'light':'dark'};
const wish=new URLSearchParams(location.search).get('theme')||location.hash.slice(1);if(wish==='dark'||wish==='light')root.dataset.theme=wish;
const tip=document.getElementById('tip'),num=v=>Number(v.toPrecision(4)).toString();
for(const s of $('svg.plot')){const X=axis(s.dataset.x),Y=axis(s.dataset.y),[,,x0,x1]=s.dataset.x.split(',').map(Number),[,,y0,y1]=s.dataset.y.split(',').map(Number);
 s.onmousemove=e=>{const p=new DOMPoint(e.clientX,e.clientY).matrixTransform(s.getScreenCTM().inverse());
  if(p.x<x0||p.x>x1||p.y>y0||p.y<y1){tip.style.display='none';return}
  const lines=[];let at=X.back(p.x);
  for(const g of $('.series:not(.off)',s)){let best=null;for(const r of g.querySelector('.curve').shown)for(const q of r)if(!best||Math.abs(q[0]-p.x)<Math.abs(best[0]-p.x))best=q;
   if(best&&Math.abs(best[0]-p.x)<(x1-x0)/10){at=X.back(best[0]);lines.push([g.querySelector('.curve').getAttribute('stroke'),g.dataset.name,Y.back(best[1])])}}
  tip.textContent='';const head=document.createElement('b');head.textContent=num(at)+(lines.length?'':', '+num(Y.back(p.y)));tip.append(head);
  for(const[c,n,v]of lines){const d=document.createElement('div'),i=document.createElement('span');i.textContent='\u25cf ';i.style.color=c;d.append(i,n+' '+num(v));tip.append(d)}
  tip.style.display='block';tip.style.left=Math.min(e.clientX+14,innerWidth-tip.offsetWidth-8)+'px';tip.style.top=Math.min(e.clientY+14,innerHeight-tip.offsetHeight-8)+'px'};
 s.onmouseleave=()=>{tip.style.display='none'}}
root.dataset.ready=$('.curve').filter(c=>c.runs.length).length;
})();
)js";

}  // namespace tapegrad::inspect
