'use strict';
'require fs';
'require view';

// The agent's own words: how the home stands, and exactly what the next upload would hold. It only shows;
// what the household decides, it decides with "phonehome-agent setup".

const agent = '/usr/sbin/phonehome-agent';

const parts = [
	[ 'status', _('How this home stands') ],
	[ 'preview', _('What would be sent') ]
];

function part(title, answer) {
	const words = [ answer.stdout, answer.stderr ].filter(Boolean).join('\n').trim();

	// In lists, children become text: nothing a device calls itself becomes markup.
	return E('div', { 'class': 'cbi-section' }, [
		E('h3', {}, [ title ]),
		E('pre', {}, [ words || _('Nothing.') ])
	]);
}

return view.extend({
	load() {
		const unanswered = error => ({ stdout: '', stderr: String(error) });

		return Promise.all(parts.map(([ command ]) => fs.exec(agent, [ command ]).catch(unanswered)));
	},

	render(answers) {
		return E('div', {}, [
			E('h2', {}, [ _('Phonehome') ]),
			...parts.map(([ , title ], at) => part(title, answers[at]))
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
